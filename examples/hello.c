/* hello.c: the same page in C. `make` builds it as cgi-bin/hello-c where there is a C compiler.
 *
 * Nothing here knows about the web: a CGI program is any program that prints. Being compiled, it
 * needs no interpreter to be loaded first, and so it pays the smallest toll of the four hellos.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    char clock[sizeof "00:00:00"];
    time_t now = time(NULL);

    strftime(clock, sizeof clock, "%H:%M:%S", gmtime(&now));
    printf("Content-Type: text/html; charset=utf-8\n"
           "\n"
           "<!doctype html>\n"
           "<html lang=\"en\">\n"
           "<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<title>Hello from C</title>\n"
           "<link rel=\"stylesheet\" href=\"/style.css\">\n"
           "<main>\n"
           "<p><a href=\"/programs.html\">← All programs</a></p>\n"
           "<h1>Hello from C</h1>\n"
           "<p>It is %s UTC, and process number <strong>%ld</strong> wrote this page for you.</p>\n"
           "<p><a href=\"hello-c\">Ask again</a>, and watch the number: one request, one process.</p>\n"
           "</main>\n"
           "</html>\n",
           clock, (long)getpid());
    return 0;
}

/* fcgi-answer.c: a libfcgi application that answers each request with as many bytes as its argument says.
 *
 * It accepts on descriptor 0, as FastCGI has it; several of them share one socket. Up to 1 KiB is sent
 * with a Content-Length, as a page would be, and more without, as a stream would be.
 */
#include <fcgi_stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    size_t length = argc > 1 ? strtoul(argv[1], NULL, 10) : 12;
    char *page = malloc(length);

    if (!page)
        return 1;
    memset(page, 'x', length);
    while (FCGI_Accept() >= 0) {
        printf("Content-Type: text/plain\r\n");
        if (length <= 1024)
            printf("Content-Length: %lu\r\n", (unsigned long)length); /* its printf has no %zu */
        printf("\r\n");
        fwrite(page, 1, length, stdout);
    }
    return 0;
}

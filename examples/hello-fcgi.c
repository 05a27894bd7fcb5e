/* hello-fcgi.c: the smallest program for libfcgi, which is a CGI program too, if it is run as one.
 *
 *     cc -O2 -o cgi-bin/hello-fcgi examples/hello-fcgi.c -lfcgi     (Debian: apt install libfcgi-dev)
 *     tollgate -f '/hello-fcgi=exec:cgi-bin/hello-fcgi'
 *
 * fcgi_stdio.h puts functions of its own in the place of printf and its like; all else is C as ever.
 */
#include <fcgi_stdio.h>

int main(void)
{
    for (int count = 1; FCGI_Accept() >= 0; count++)
        printf("Content-Type: text/plain\r\n\r\nhello %d\n", count);
    return 0;
}

/* hello.c: the cheapest CGI program there is: three calls to the system, no library to load (built -static). */
#include <unistd.h>

int main(void)
{
    static const char page[] = "Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello world\n";

    return write(1, page, sizeof page - 1) != sizeof page - 1;
}

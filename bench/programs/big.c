/* big.c: a CGI program that prints 10 MiB, as much at a time as a pipe takes by default. */
#include <string.h>
#include <unistd.h>

#define PIECE 65536
#define PIECES 160

int main(void)
{
    static const char head[] = "Content-Type: application/octet-stream\r\n\r\n";
    static char piece[PIECE];

    memset(piece, 'x', sizeof piece);
    if (write(1, head, sizeof head - 1) < 0)
        return 1;
    for (int count = 0; count < PIECES; count++)
        for (size_t done = 0; done < sizeof piece;) {
            ssize_t written = write(1, piece + done, sizeof piece - done);
            if (written <= 0)
                return 1;
            done += (size_t)written;
        }
    return 0;
}

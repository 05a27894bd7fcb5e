#!/bin/sh
# Where there is no C compiler, `make` puts this in the place of cgi-bin/hello-c.
printf '%s\n' 'Status: 501 Not Implemented' 'Content-Type: text/plain; charset=utf-8' '' \
    'This program is written in C, and there was no C compiler to build it. On Debian: apt install gcc'

#!/bin/sh
printf 'Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello world\n'

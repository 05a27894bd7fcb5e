#!/bin/sh
# Holds its place for two seconds and needs no processor meanwhile.
sleep 2
printf 'Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello world\n'

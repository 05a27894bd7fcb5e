#!/bin/sh
''':' # The shell runs these lines to look for Python, which takes them for a text and skips them.
command -v python3 >/dev/null && exec python3 "$0" "$@"
printf '%s\n' 'Status: 501 Not Implemented' 'Content-Type: text/plain; charset=utf-8' '' \
    'This program is written in Python, and python3 is not installed here. On Debian: apt install python3'
exit
'''
# hello.py: the same page in Python.
#
# A clean environment has no LANG, so the program itself says that it speaks UTF-8.

import os
import sys
import time

sys.stdout.reconfigure(encoding="utf-8")

print(f"""Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Python</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/programs.html">← All programs</a></p>
<h1>Hello from Python</h1>
<p>It is {time.strftime("%H:%M:%S", time.gmtime())} UTC,
and process number <strong>{os.getpid()}</strong> wrote this page for you.</p>
<p><a href="hello.py">Ask again</a>, and watch the number: one request, one process.</p>
</main>
</html>""")

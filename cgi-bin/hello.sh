#!/bin/sh
# hello.sh: the smallest useful page, in the shell.
#
# A CGI program prints three things: header lines, one blank line, and then the body.
# `$$` is the number of this process. Reload the page: it is a new process every time.

cat <<END
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from the shell</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/programs.html">← All programs</a></p>
<h1>Hello from the shell</h1>
<p>It is $(date -u +%H:%M:%S) UTC, and process number <strong>$$</strong> wrote this page for you.</p>
<p><a href="hello.sh">Ask again</a>, and watch the number: one request, one process.</p>
</main>
</html>
END

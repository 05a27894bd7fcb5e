#!/bin/sh
# clock.sh: a page that arrives a line at a time.
#
# The server passes on what a program prints as soon as it is printed, and the browser shows it as
# soon as it comes. Close the page half-way: the server sees you go, and ends this program.
# From a terminal: curl -N http://127.0.0.1:8080/cgi-bin/clock.sh

cat <<END
Content-Type: text/html; charset=utf-8
Cache-Control: no-store

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A clock</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/programs.html">← All programs</a></p>
<h1>Ten seconds, one at a time</h1>
<p>This page is still being written.</p>
<ol class="clock">
END

for _ in 1 2 3 4 5 6 7 8 9 10; do
    date -u '+<li>%H:%M:%S UTC</li>'
    sleep 1
done

cat <<END
</ol>
<p>Now it is whole. <a href="clock.sh">Once more</a></p>
</main>
</html>
END

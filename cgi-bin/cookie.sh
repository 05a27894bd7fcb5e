#!/bin/sh
# cookie.sh: a program that remembers, although each request is a new process.
#
# It keeps nothing itself. Set-Cookie asks the browser to keep the number, and the browser sends
# it back with its next request, where it arrives in HTTP_COOKIE as `name=value; name=value`.

visits=0
set -f # The words below are taken as they are: a * in a cookie is no pattern for file names.
IFS='; '
for pair in $HTTP_COOKIE; do
    case $pair in tollgate_visits=*) visits=${pair#*=} ;; esac
done
# A cookie comes from outside: anything but a plain number of up to six digits starts again.
case $visits in '' | *[!0-9]* | 0?* | ???????*) visits=0 ;; esac
visits=$((visits + 1))

cat <<END
Content-Type: text/html; charset=utf-8
Cache-Control: no-store
Set-Cookie: tollgate_visits=$visits; Path=/cgi-bin/cookie.sh; Max-Age=2592000; HttpOnly; SameSite=Lax

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A cookie</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/programs.html">← All programs</a></p>
<h1>Visit number $visits</h1>
<p>Process $$ did not know that: your browser told it, in a cookie.</p>
<p><a href="cookie.sh">Come again</a></p>
</main>
</html>
END

#!/bin/sh
''':' # The shell runs these lines to look for Python, which takes them for a text and skips them.
command -v python3 >/dev/null && exec python3 "$0" "$@"
printf '%s\n' 'Status: 501 Not Implemented' 'Content-Type: text/plain; charset=utf-8' '' \
    'This program is written in Python, and python3 is not installed here. On Debian: apt install python3'
exit
'''
# env.py: what the server tells a program, as a table.
#
# CGI passes the facts about a request in environment variables. RFC 3875 names most of them; each
# field of the request's header arrives as HTTP_ and its name. This page shows them to whoever asks,
# which is right for learning and wrong for a public server with secrets in its environment.

import os
import sys
from html import escape

sys.stdout.reconfigure(encoding="utf-8", errors="replace")

RFC_3875 = set(
    "AUTH_TYPE CONTENT_LENGTH CONTENT_TYPE GATEWAY_INTERFACE PATH_INFO PATH_TRANSLATED QUERY_STRING"
    " REMOTE_ADDR REMOTE_HOST REMOTE_IDENT REMOTE_USER REQUEST_METHOD SCRIPT_NAME SERVER_NAME"
    " SERVER_PORT SERVER_PROTOCOL SERVER_SOFTWARE".split()
)


def table(caption, names):
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(os.environ[name])}</td></tr>\n'
        for name in names
    )
    return f'<div class="scroll"><table><caption>{caption}</caption>\n{rows}</table></div>'


names = sorted(os.environ)
standard = [name for name in names if name in RFC_3875]
fields = [name for name in names if name.startswith("HTTP_")]
others = [name for name in names if name not in standard and name not in fields]

print(f"""Content-Type: text/html; charset=utf-8
Cache-Control: no-store

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The environment</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/programs.html">← All programs</a></p>
<h1>The environment of one request</h1>
<p>This program found {len(names)} variables. Change the address and see what changes:
<a href="/cgi-bin/env.py/some/extra/path?colour=red&amp;size=2">add a path and a query</a>.</p>
{table("The meta-variables of RFC 3875", standard)}
{table("The fields of your browser’s request", fields)}
{table("Customary additions, and what the operator set", others)}
<p><code>PWD</code> and <code>LC_CTYPE</code> are not from the server: the shell and Python add them.
The program runs in the folder <code>{escape(os.getcwd())}</code>.</p>
</main>
</html>""")

#!/bin/sh
''':' # The shell runs these lines to look for Python, which takes them for a text and skips them.
command -v python3 >/dev/null && exec python3 "$0" "$@"
printf '%s\n' 'Status: 501 Not Implemented' 'Content-Type: text/plain; charset=utf-8' '' \
    'This program is written in Python, and python3 is not installed here. On Debian: apt install python3'
exit
'''
# form.py: what a form sends, by GET and by POST.
#
# By GET the fields are the query of the address, in QUERY_STRING. By POST they are the body: as many
# bytes on standard input as CONTENT_LENGTH says, and never one more. Both have the same shape,
# name=value&name=value. Whatever came from outside is escaped before it goes into the page.

import os
import sys
from html import escape
from urllib.parse import parse_qsl

sys.stdout.reconfigure(encoding="utf-8", errors="replace")

LONGEST_BODY = 64 * 1024


def refuse(status, why):
    print(f"Status: {status}\nContent-Type: text/plain; charset=utf-8\n\n{why}")
    sys.exit()


method = os.environ.get("REQUEST_METHOD", "GET")
if method == "POST":
    if not os.environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        refuse("415 Unsupported Media Type", "This program reads application/x-www-form-urlencoded.")
    length = int(os.environ.get("CONTENT_LENGTH") or 0)
    if length > LONGEST_BODY:
        refuse("413 Content Too Large", f"At most {LONGEST_BODY} bytes, please.")
    sent = sys.stdin.buffer.read(length).decode("utf-8", "replace")
else:
    sent = os.environ.get("QUERY_STRING", "")

try:
    fields = parse_qsl(sent, keep_blank_values=True, errors="replace", max_num_fields=100)
except ValueError:
    refuse("400 Bad Request", "At most 100 fields, please.")

if fields:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n' for name, value in fields
    )
    arrived = f"""<h2>What arrived by {escape(method)}</h2>
<p>As it was sent:</p>
<pre tabindex="0">{escape(sent)}</pre>
<div class="scroll"><table><caption>And taken apart</caption>
{rows}</table></div>"""
else:
    arrived = "<p>Nothing has arrived yet. Fill in the form and send it either way.</p>"


def form(by, note):
    return f"""<form method="{by}" action="/cgi-bin/form.py" accept-charset="utf-8">
<h2>Send by {by.upper()}</h2>
<p>{note}</p>
<p><label for="{by}-name">Your name</label> <input id="{by}-name" name="name" maxlength="80"></p>
<p><label for="{by}-word">A few words, with &lt;b&gt;tags&lt;/b&gt; if you like</label>
<textarea id="{by}-word" name="word" rows="2" maxlength="500"></textarea></p>
<p><label><input type="checkbox" name="umlaut" value="äöü"> and a word that is not ASCII</label></p>
<p><button>Send by {by.upper()}</button></p>
</form>"""


print(f"""Content-Type: text/html; charset=utf-8
Cache-Control: no-store

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A form, sent two ways</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/programs.html">← All programs</a></p>
<h1>A form, sent two ways</h1>
{arrived}
{form("get", "The fields go into the address: good for a search, which may be repeated and bookmarked.")}
{form("post", "The fields go into the body: good for what changes something, or is too long for an address.")}
</main>
</html>""")

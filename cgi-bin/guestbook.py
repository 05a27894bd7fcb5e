#!/bin/sh
''':' # The shell runs these lines to look for Python, which takes them for a text and skips them.
command -v python3 >/dev/null && exec python3 "$0" "$@"
printf '%s\n' 'Status: 501 Not Implemented' 'Content-Type: text/plain; charset=utf-8' '' \
    'This program is written in Python, and python3 is not installed here. On Debian: apt install python3'
exit
'''
# guestbook.py: pages that last, in an SQLite database.
#
# Many copies of this program can run at once, so the writing is left to SQLite: BEGIN IMMEDIATE takes
# the one right to write before anything is read, whoever comes second waits (up to TIMEOUT), and
# COMMIT returns when the entry is on the disk. After a POST the program answers 303 See Other: the
# browser then asks for the page by GET, and reloading that page sends nothing twice.

import os
import sys
import time
from html import escape
from urllib.parse import parse_qs

sys.stdout.reconfigure(encoding="utf-8", errors="replace")

# The server never shows a name that begins with a dot, so nobody can fetch the database itself.
HERE = os.path.dirname(os.path.abspath(__file__))
BOOK = os.environ.get("GUESTBOOK_DB") or os.path.join(HERE, ".data", "guestbook.sqlite")
TIMEOUT = 30  # seconds
LONGEST_BODY = 16 * 1024
LONGEST_NAME = 60
LONGEST_WORDS = 1000
SHOWN = 50


def refuse(status, why):
    print(f"Status: {status}\nContent-Type: text/plain; charset=utf-8\n\n{why}")
    sys.exit()


try:
    import sqlite3
except ImportError:
    refuse("501 Not Implemented", "This program needs Python's sqlite3 module. On Debian: apt install python3")


def open_book():
    os.makedirs(os.path.dirname(BOOK) or ".", mode=0o700, exist_ok=True)
    # isolation_level=None: transactions begin and end where we say so, not where Python thinks best.
    book = sqlite3.connect(BOOK, timeout=TIMEOUT, isolation_level=None)
    if not book.execute("SELECT name FROM sqlite_master WHERE name = 'entry'").fetchall():
        book.execute("BEGIN IMMEDIATE")
        book.execute("CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, time INTEGER, name TEXT, words TEXT)")
        book.execute("COMMIT")
    return book


def sign():
    length = int(os.environ.get("CONTENT_LENGTH") or 0)
    if length > LONGEST_BODY:
        refuse("413 Content Too Large", f"At most {LONGEST_BODY} bytes, please.")
    sent = sys.stdin.buffer.read(length).decode("utf-8", "replace")
    try:
        fields = parse_qs(sent, errors="replace", max_num_fields=10)
    except ValueError:
        refuse("400 Bad Request", "A name and a few words, please, and no other fields.")
    name = fields.get("name", [""])[0].strip()[:LONGEST_NAME]
    words = fields.get("words", [""])[0].strip()[:LONGEST_WORDS]
    if not name or not words:
        refuse("422 Unprocessable Content", "A name and a few words, please.")
    book = open_book()
    book.execute("BEGIN IMMEDIATE")
    # The values travel beside the statement, never inside it: no name can become a piece of SQL.
    book.execute("INSERT INTO entry (time, name, words) VALUES (?, ?, ?)", (int(time.time()), name, words))
    book.execute("COMMIT")
    scheme = os.environ.get("REQUEST_SCHEME", "http")
    host = os.environ.get("HTTP_HOST") or "{SERVER_NAME}:{SERVER_PORT}".format(**os.environ)
    print(f"""Status: 303 See Other
Location: {scheme}://{host}{os.environ.get("SCRIPT_NAME", "")}
Content-Type: text/plain; charset=utf-8

Thank you. Your entry is in the book.""")


def show():
    book = open_book()
    (count,) = book.execute("SELECT count(*) FROM entry").fetchone()
    newest = book.execute("SELECT time, name, words FROM entry ORDER BY id DESC LIMIT ?", (SHOWN,)).fetchall()
    entries = "".join(
        f"<article><h3>{escape(name)}</h3><p>{escape(words)}</p>"
        f"<footer>{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(when))}</footer></article>\n"
        for when, name, words in newest
    )
    print(f"""Content-Type: text/html; charset=utf-8
Cache-Control: no-store

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The guestbook</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/programs.html">← All programs</a></p>
<h1>The guestbook</h1>
<form method="post" action="/cgi-bin/guestbook.py" accept-charset="utf-8">
<p><label for="name">Your name</label>
<input id="name" name="name" maxlength="{LONGEST_NAME}" autocomplete="name" required></p>
<p><label for="words">A few words</label>
<textarea id="words" name="words" rows="3" maxlength="{LONGEST_WORDS}" required></textarea></p>
<p><button>Sign</button></p>
</form>
<h2>{count} signed so far</h2>
{entries}</main>
</html>""")


try:
    if os.environ.get("REQUEST_METHOD") == "POST":
        sign()
    else:
        show()
except (OSError, sqlite3.OperationalError) as error:
    print(f"{BOOK}: {error}", file=sys.stderr)  # for the server's log, where the operator finds it
    refuse("503 Service Unavailable", "The book cannot be opened just now. Nothing was written.")

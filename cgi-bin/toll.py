#!/bin/sh
''':' # The shell runs these lines to look for Python, which takes them for a text and skips them.
command -v python3 >/dev/null && exec python3 "$0" "$@"
printf '%s\n' 'Status: 501 Not Implemented' 'Content-Type: text/plain; charset=utf-8' '' \
    'This program is written in Python, and python3 is not installed here. On Debian: apt install python3'
exit
'''
# toll.py: a program that has something to get ready, run as CGI or as FastCGI.
#
# It knows what a toll road charges from each of its gates to each. Getting ready takes about 50 ms: it opens
# an SQLite database and fills it. Answering is one look into it. Run as CGI it gets ready for each request;
# run as FastCGI, once. page() makes the page for both; what differs is below it, cgi() and fastcgi().

import os
import stat
import struct
import sys
import time

GATES = 165  # each has a fare to each


def refuse(status, why):
    return f"Status: {status}\nContent-Type: text/plain; charset=utf-8\n\n{why}\n"


def open_fares():
    """The database, in memory; and how long that took, in milliseconds."""
    import sqlite3

    start = time.perf_counter()
    fares = sqlite3.connect(":memory:")
    fares.execute("CREATE TABLE fare (start INTEGER, goal INTEGER, cents INTEGER)")
    pairs = ((a, b, 30 * abs(a - b) + (a * b) % 29) for a in range(GATES) for b in range(GATES))
    fares.executemany("INSERT INTO fare VALUES (?, ?, ?)", pairs)
    fares.execute("CREATE UNIQUE INDEX by_gates ON fare (start, goal)")
    return fares, (time.perf_counter() - start) * 1000


def page(variables, fares, took, how, answered):
    """The whole reply: a header, a blank line, the page."""
    query = dict(pair.partition("=")[::2] for pair in variables.get("QUERY_STRING", "").split("&"))
    try:
        start, goal = int(query.get("from") or 3), int(query.get("to") or 140)
        found = fares.execute("SELECT cents FROM fare WHERE start = ? AND goal = ?", (start, goal)).fetchone()
    except (ValueError, OverflowError):
        found = None
    if not found:
        return refuse("404 Not Found", f"The gates have the numbers 0 to {GATES - 1}.")
    return f"""Content-Type: text/html; charset=utf-8
Cache-Control: no-store

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The fare</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/toll.html">← The toll</a></p>
<h1>The fare is {found[0] / 100:.2f}</h1>
<form>
<p><label for="from">From gate</label>
<input id="from" name="from" type="number" min="0" max="{GATES - 1}" value="{start}" required></p>
<p><label for="to">to gate</label>
<input id="to" name="to" type="number" min="0" max="{GATES - 1}" value="{goal}" required></p>
<p><button>Ask</button></p>
</form>
<p>I am process <strong>{os.getpid()}</strong>, run as <strong>{how}</strong>. Getting ready took me
<strong>{took:.1f} ms</strong>, once, and this is request number <strong>{answered}</strong> that I answer.</p>
</main>
</html>
"""


def cgi(fares, took):
    """One request, from the environment; the answer is printed."""
    sys.stdout.reconfigure(encoding="utf-8")
    print(page(os.environ, fares, took, "CGI", 1), end="")


def listener():
    """Descriptor 0 where it is a socket that listens, as FastCGI has it; None where it is CGI's input."""
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        return None
    import socket  # not at the top: as CGI it would be loaded each time, for nothing

    candidate = socket.socket(fileno=0)
    return candidate if candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) else None


# FastCGI 1.0. All is cut into records: a header of 8 bytes, which says what it is, and content.
HEADER = struct.Struct("!BBHHBx")  # version, kind, id of the request, length of content, length of padding
BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT = 1, 2, 3, 4, 5, 6
UNKNOWN_TYPE = 11
KEEP_CONN = 1


def fastcgi(waiting, fares, took):
    """Requests without end, one connection after the other."""
    answered = 0
    while True:
        connection, _ = waiting.accept()
        try:
            with connection, connection.makefile("rb") as stream:
                for number, variables in requests(connection, stream):
                    answered += 1
                    text = page(variables, fares, took, "FastCGI", answered).encode()
                    connection.sendall(stdout(number, text) + end(number))
        except (OSError, ValueError, LookupError) as error:
            # The server went away in the middle, or it was none. There will be others.
            print(f"toll.py: {error}", file=sys.stderr, flush=True)


def requests(connection, stream):
    """The requests of one connection, as they become whole: the id of each, and its variables."""
    current, keep, params = None, False, b""
    while len(header := stream.read(HEADER.size)) == HEADER.size:
        version, kind, number, length, padding = HEADER.unpack(header)
        content = stream.read(length + padding)[:length]
        if version != 1:
            raise ValueError("this is not FastCGI 1.0")
        if number == 0:  # about no request: a question that we do not understand
            connection.sendall(record(UNKNOWN_TYPE, 0, struct.pack("!B7x", kind)))
        elif kind == BEGIN_REQUEST and current is None:
            current, keep, params = number, content[2] & KEEP_CONN, b""
        elif number != current:
            pass  # of a request that has ended: late, and no fault
        elif kind == PARAMS:
            params += content  # a pair may begin in one record and end in the next
        elif kind == ABORT_REQUEST or kind == STDIN and not content:
            # An empty record ends the body, and so the request. (This program has no use for a body.)
            current = None
            if kind == ABORT_REQUEST:
                connection.sendall(end(number))
            else:
                yield number, dict(pairs(params))
            if not keep:
                return


def stdout(number, text):
    """A stream: records, and an empty one at its end."""
    pieces = [text[at : at + 65_535] for at in range(0, len(text), 65_535)]
    return b"".join(record(STDOUT, number, piece) for piece in pieces + [b""])


def end(number):
    return record(END_REQUEST, number, bytes(8))  # status 0, and "request complete" is 0 too


def record(kind, number, content):
    return HEADER.pack(1, kind, number, len(content), 0) + content


def pairs(params):
    """Names and values: two lengths, each of one byte or of four, then both texts."""
    at = 0
    while at < len(params):
        lengths = []
        for _ in range(2):
            size = 4 if params[at] & 0x80 else 1
            lengths.append(int.from_bytes(params[at : at + size], "big") & 0x7FFF_FFFF)
            at += size
        name, value = params[at:][: lengths[0]], params[at + lengths[0] :][: lengths[1]]
        yield name.decode("utf-8", "replace"), value.decode("utf-8", "replace")
        at += sum(lengths)


try:
    fares, took = open_fares()
except ImportError:
    print(refuse("501 Not Implemented", "This program needs Python's sqlite3 module. On Debian: apt install python3"))
    sys.exit()
if waiting := listener():
    fastcgi(waiting, fares, took)
else:
    cgi(fares, took)

#!/bin/sh
''':' # The shell runs these lines to look for Python, which takes them for a text and skips them.
command -v python3 >/dev/null && exec python3 "$0" "$@"
printf '%s\n' 'Status: 501 Not Implemented' 'Content-Type: text/plain; charset=utf-8' '' \
    'This program is written in Python, and python3 is not installed here. On Debian: apt install python3'
exit
'''
# upload.py: a file sent by a browser, read a block at a time.
#
# A form with enctype="multipart/form-data" sends its fields one after the other. A line that occurs
# in none of them, the boundary, stands between; CONTENT_TYPE says which line that is:
#
#     --boundary CRLF  header lines CRLF  CRLF  content CRLF  --boundary CRLF  ...  --boundary--
#
# The content can be larger than the memory, so it is never held whole: it is measured and hashed as
# it goes by, and then it is gone. Nothing is stored.

import hashlib
import os
import re
import sys
from html import escape

sys.stdout.reconfigure(encoding="utf-8", errors="replace")

LONGEST_BODY = 1024**3
LONGEST_HEADER = 8 * 1024
MOST_PARTS = 20
BLOCK = 64 * 1024

# ; name="value" or ; name=value. Browsers write a quote within a value as %22. (Python's own reader of such fields,
# the package email, takes 2.4 MB more than this.)
PARAMETER = re.compile(r';\s*([\w*-]+)=(?:"([^"]*)"|([^\s;"]+))')


class Refused(Exception):
    """The request cannot be answered; the first argument is a status, the second says why."""


class Body:
    """The request's body, given out up to one mark after another."""

    def __init__(self, stream, length):
        self.stream = stream
        self.left = length
        # The first boundary has no line before it, and the last need not end its own. With both, they
        # look like all others.
        self.buffer = b"\r\n"
        self.end = b"\r\n"

    def until(self, mark):
        """Yield the bytes before the next mark, in blocks, and step over the mark."""
        while True:
            at = self.buffer.find(mark)
            if at >= 0:
                yield self.buffer[:at]
                self.buffer = self.buffer[at + len(mark) :]
                return
            # The end of the buffer may be the beginning of the mark: keep that much.
            safe = max(0, len(self.buffer) - len(mark) + 1)
            yield self.buffer[:safe]
            block = self.stream.read(min(BLOCK, self.left))
            self.left -= len(block)
            if not block:
                block, self.end = self.end, b""
            if not block:
                raise Refused("400 Bad Request", "The body ends in the middle of a part.")
            self.buffer = self.buffer[safe:] + block

    def line(self):
        line = b""
        for block in self.until(b"\r\n"):
            line += block
            if len(line) > LONGEST_HEADER:
                raise Refused("400 Bad Request", "A header line is too long.")
        return line


def parse(field):
    """Split `kind; name="value"; ...` into the kind and its parameters by name."""
    kind = field.partition(";")[0].strip().lower()
    return kind, {name.lower(): quoted or plain for name, quoted, plain in PARAMETER.findall(field)}


def read_disposition(body):
    """Return the parameters of one part's Content-Disposition, and read on to the end of its header, an empty line."""
    found, length = {}, 0
    while True:
        line = body.line().decode("utf-8", "replace")
        if not line:
            return found
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            found = parse(value)[1]
        length += len(line)
        if length > LONGEST_HEADER:
            raise Refused("400 Bad Request", "The header of a part is too long.")


def read_parts(stream, length, content_type):
    """Yield (field name, file name or None, number of bytes, SHA-256) for each part of the body."""
    kind, parameters = parse(content_type)
    boundary = parameters.get("boundary", "")
    if kind != "multipart/form-data" or not 1 <= len(boundary) <= 70:
        raise Refused("415 Unsupported Media Type", "This program reads multipart/form-data.")
    body = Body(stream, length)
    mark = b"\r\n--" + boundary.encode("ascii", "replace")
    for _ in body.until(mark):
        pass
    for _ in range(MOST_PARTS):
        if body.line().startswith(b"--"):
            return
        part = read_disposition(body)
        size, digest = 0, hashlib.sha256()
        for block in body.until(mark):
            size += len(block)
            digest.update(block)
        yield part.get("name", ""), part.get("filename"), size, digest.hexdigest()
    raise Refused("400 Bad Request", f"At most {MOST_PARTS} parts, please.")


def receive():
    """Return the answer to a POST as a piece of HTML."""
    length = int(os.environ.get("CONTENT_LENGTH") or 0)
    if length > LONGEST_BODY:
        raise Refused("413 Content Too Large", f"At most {LONGEST_BODY} bytes, please.")
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(file or "(not a file)")}</td>'
        f"<td>{size:,} bytes</td><td><code>{digest}</code></td></tr>\n"
        for name, file, size, digest in read_parts(sys.stdin.buffer, length, os.environ.get("CONTENT_TYPE", ""))
    )
    return f"""<div class="scroll"><table><caption>What arrived, in {length:,} bytes</caption>
<tr><th scope="col">Field</th><th scope="col">File</th><th scope="col">Size</th><th scope="col">SHA-256</th></tr>
{rows}</table></div>"""


try:
    arrived = receive() if os.environ.get("REQUEST_METHOD") == "POST" else ""
except Refused as refusal:
    status, why = refusal.args
    print(f"Status: {status}\nContent-Type: text/plain; charset=utf-8\n\n{why}")
    sys.exit()

print(f"""Content-Type: text/html; charset=utf-8
Cache-Control: no-store

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>An upload</title>
<link rel="stylesheet" href="/style.css">
<main>
<p><a href="/programs.html">← All programs</a></p>
<h1>An upload</h1>
<p>Choose files. The program reports their sizes and SHA-256 sums, which you can compare with those of
<code>sha256sum</code>. It keeps nothing.</p>
{arrived}
<form method="post" action="/cgi-bin/upload.py" enctype="multipart/form-data">
<p><label for="file">Files</label> <input id="file" type="file" name="file" multiple required></p>
<p><button>Send</button></p>
</form>
</main>
</html>""")

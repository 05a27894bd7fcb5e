"""Tells whether an answer has the content of the file that was asked for, and whether two have the same part of one.

Which rows of known.table fit does not matter to that: servers may choose differently what to send, and still have
to send it right.

>>> page = b"GET /sub/../%70age.txt?x HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n"
>>> def outcome(status, body, part=None):
...     return Outcome((Answer(status, body, "length", part),), "next")
>>> [is_wrong(page, outcome(200, body)) for body in (b"a page\\n", b"a page", b"")]
[False, True, True]
>>> [is_wrong(page, outcome(206, body, b"bytes 2-4/7")) for body in (b"pag", b"page", b"a p")]
[False, True, True]
>>> [is_wrong(page, outcome(206, b"pag", part)) for part in (b"bytes 2-4/8", b"bytes 4-2/7", b"x", None)]
[True, True, True, False]
>>> [is_wrong(page.replace(b"GET", b"HEAD"), outcome(200, body)) for body in (b"", b"a page\\n")]
[False, True]
>>> is_wrong(b"GET /none HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n", outcome(200, b"a page\\n"))
True
>>> is_wrong(b"GET /cgi-bin/echo HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n", outcome(200, b"x"))
False
>>> pag = outcome(206, b"pag", b"bytes 2-4/7")
>>> [have_parts_that_differ(pag, it) for it in (pag, outcome(206, b"gap", b"bytes 2-4/7"), outcome(200, b"gap"))]
[False, True, False]
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote_to_bytes

from .exchange import Answer, Outcome
from .servers import FILES

LINE = re.compile(rb"(?:\r\n)*(GET|HEAD) (?:[a-zA-Z]+://[^/?# ]*)?([^?# ]*)[^ ]* HTTP/1\.[0-9]\r\n")
"""The beginning of a request for a file: its method and path."""
PART = re.compile(rb"bytes ([0-9]+)-([0-9]+)/([0-9]+)")


def is_wrong(request: bytes, outcome: Outcome) -> bool:
    """Whether a good answer to the request does not have what is in the file, or in the part of it that it names."""
    line = LINE.match(request)
    if line is None or not outcome.answers or (len(outcome.answers) == 1 and outcome.end not in ("next", "closed")):
        return False
    method, answer = line[1], outcome.answers[0]
    is_part = answer.status == 206 and answer.part is not None
    path = unquote_to_bytes(line[2]).decode("latin-1")
    if not (answer.status == 200 or is_part) or "/cgi-bin" in path:
        return False
    file = content_of(path)
    if file is None:
        return True
    if is_part:
        part = PART.fullmatch(answer.part)
        if part is None:
            return True
        first, last, length = map(int, part.groups())
        if length != len(file) or not first <= last < length:
            return True
        file = file[first : last + 1]
    return answer.body != (b"" if method == b"HEAD" else file)


def content_of(path: str) -> bytes | None:
    """The content of the file that a path leads to; None where there is none."""
    is_folder = path.endswith(("/", "/.", "/..")) or not path
    name = posixpath.normpath("/" + path).lstrip("/")
    return FILES.get(posixpath.join(name, "index.html") if is_folder else name)


def have_parts_that_differ(one: Outcome, other: Outcome) -> bool:
    """Whether both sent the same part of a file first, and not the same bytes."""
    if not one.answers or not other.answers or "cut" in (one.end, other.end) or "waits" in (one.end, other.end):
        return False
    mine, theirs = one.answers[0], other.answers[0]
    return is_same_part(mine, theirs) and mine.body != theirs.body


def is_same_part(mine: Answer, theirs: Answer) -> bool:
    """Whether both are parts, and the same one."""
    return mine.status == theirs.status == 206 and mine.part is not None and mine.part == theirs.part

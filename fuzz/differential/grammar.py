"""Makes requests, valid and otherwise: by a grammar, from the tables in tests/attacks, and by mutations of both.

A request is bytes, and follows from its random generator alone.
"""

from __future__ import annotations

import random
from pathlib import Path

TABLES = Path(__file__).resolve().parents[2] / "tests" / "attacks"

METHODS = ("GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "PATCH", "TRACE", "get", "FOO")
VERSIONS = ("HTTP/1.1",) * 8 + ("HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.1 ")
PATHS = (
    "/page.txt", "/page.txt", "/page.txt", "/cgi-bin/echo", "/sub/page.txt", "/sub/", "/sub", "/", "/none", "/a%20b.txt", "/empty.txt",
    "/page.txt?a=b", "/sub/../page.txt", "/./page.txt", "//page.txt", "/%70age.txt", "/sub/%2e%2e/page.txt",
    "/sub%2fpage.txt", "/..%2fpage.txt", "/../page.txt", "/../../outside.txt", "/page.txt/", "/page.txt/x", "/.hidden",
    "/page%00.txt", "/%zz", "/%", "/a%0ab", "/sub//page.txt", "/sub/.", "/sub/..", "/%C3%A9", "/page.txt;x", "/PAGE.TXT",
    "/page.txt%20", "/page.txt.", "/?", "/#", "/page.txt#x", "*", "http://h/page.txt", "http://other/sub/page.txt",
    "http://h", "http://u@h/page.txt", "https://h/page.txt", "ftp://h/page.txt", "h:80", "page.txt", "/sub\\page.txt",
)
FILES = ("/page.txt", "/sub/page.txt", "/sub/", "/a%20b.txt", "/empty.txt", "/sub/../page.txt")
HOSTS = ("h",) * 8 + ("h:80", "", "a.test", "127.0.0.1", "[::1]", "a b", "a/b", "u@h", "h:x", "h:99999", "..", "a,b", "a_b")
FIELDS = (
    "Connection: close", "Connection: keep-alive", "Connection: x", "Connection: Upgrade\r\nUpgrade: h2c",
    "Connection: keep-alive, close", "Accept: */*", "Accept-Encoding: gzip", "X: a\tb", "X:", "X: \x80\xff", "x-y: 1",
    "Range: bytes=0-3", "Range: bytes=2-", "Range: bytes=-2", "Range: bytes=99-", "Range: bytes=x", "Range: bytes=3-1",
    "Range: octets=0-1", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", "If-Modified-Since: x",
    "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT", "If-None-Match: *", "If-Match: *", "If-Match: \"x\"",
    "If-None-Match: \"x\"", "Expect: 100-continue", "Expect: x", "TE: trailers", "Trailer: X", "X_Y: 1", "X.Y: 1",
    "Proxy: x", "Cookie: a=b", "Transfer-Encoding_: chunked", "Host : h", "X : y", " X: y", "X", ": y", "X\0: y",
    "X: y\n Z: w", "X: y\r\n Z", "X: \0", "X: \x01", "X: a\rb", "X: \x7f", "Content-Type: text/plain", "Host: h",
)
LENGTHS = (
    "{n}", "{n}", "{n}", "{n}", "0{n}", "+{n}", "-{n}", " {n} ", "{n},{n}", "{n}, 1", "0x{n}", "{n}a", "", "\t{n}", "{n}.0",
    "{n}\r\nContent-Length: {n}", "{n}\r\nContent-Length: 1", "18446744073709551616", "9223372036854775808", "1 {n}",
)
CODINGS = (
    "chunked", "chunked", "chunked", "chunked", "Chunked", " chunked ", "xchunked", "chunked, chunked", "identity", "gzip",
    "gzip, chunked", "chunked, identity", "identity, chunked", "chunked;a=b", "\"chunked\"", "\x0bchunked", "chunked\x0b",
    "chunked\r\nTransfer-Encoding: chunked", "chunked\r\nTransfer-Encoding: x", "", ",chunked", "chunked,", "\tchunked",
    "chunked\r\nContent-Length: 5", "\r\n chunked",
)
SIZES = (
    "{n:x}",) * 10 + ("{n:X}", "0{n:x}", "0000000000000000000{n:x}", "0x{n:x}", "+{n:x}", "-{n:x}", " {n:x}", "{n:x} ",
    "{n:x}\t", "{n:x};a=b", "{n:x};a=\"b;c\"", "{n:x} ;a", "{n:x};", "{n:x};a\n", "{n:x};a\rb", "{n:x}\n", "{n:x};\0", "",
    "g", "1{n:016x}", "{n:x}_", "{n:x},",
)
ENDS = ("\r\n",) * 14 + ("\n", "\r", "\r\r\n", "\n\r", "", "\r\n\r\n")
TRAILERS = ("",) * 8 + ("X: y\r\n", "Content-Length: 9\r\n", "X\r\n", " X: y\r\n", "X : y\r\n", "X: y\n", ": y\r\n", "X: \0\r\n")
NASTY = (
    b"\0", b"\t", b"\x0b", b"\x0c", b" ", b"\r", b"\n", b"\r\n", b"\x7f", b"\x80", b"\xff", b":", b";", b",", b"/", b"\\",
    b"%", b"%00", b"%0d%0a", b"%2e", b"..", b"?", b"#", b"@", b"\"", b"0", b"+", b"-", b"_", b"A", b"chunked", b"\xc2\xa0",
    b"\r\n ", b"\r\n\r\n", b"HTTP/1.1", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: x\r\n",
)


class Grammar:
    """A source of requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._rows = [row for name in ("refused.table", "taken.table") for row in read_table(TABLES / name)]

    def request(self) -> bytes:
        """The next one."""
        pick = self._random
        kind = pick.random()
        made = self._from_row() if kind < 0.3 else self._for_part() if kind < 0.4 else self._from_grammar()
        for _ in range(pick.choice((0, 0, 0, 1, 1, 2, 3))):
            made = self._mutate(made)
        return made

    def _from_row(self) -> bytes:
        row = self._random.choice(self._rows)
        target = self._random.choice((b"/page.txt", b"/cgi-bin/echo", b"/cgi-bin/echo"))
        for program in (b"/cgi-bin/probe/stdin", b"/cgi-bin/probe/hello", b"/cgi-bin/none"):
            row = row.replace(program, target)
        return row.replace(b"POST ", b"GET ", 1) if self._random.random() < 0.5 else row

    def _for_part(self) -> bytes:
        """One that is in order, and asks for parts of a file, perhaps on a condition."""
        pick = self._random
        first, second = pick.randrange(15), pick.randrange(15)
        ranges = pick.choice((f"{first}-{second}", f"{first}-", f"-{first}", f"{first}-{first}", f"{first}-99"))
        fields = ["Host: h", f"Range: bytes={ranges}"]
        fields += [field for field in FIELDS if field.startswith(("If-", "Range:")) and pick.random() < 0.05]
        pick.shuffle(fields)
        line = f"{pick.choice(('GET',) * 5 + ('HEAD',))} {pick.choice(FILES)} {pick.choice(VERSIONS[:9])}"
        return "\r\n".join([line, *fields, "", ""]).encode("latin-1")

    def _from_grammar(self) -> bytes:
        pick = self._random
        kind = pick.random()
        with_content = kind < 0.55
        method, path = pick.choice(METHODS), pick.choice(PATHS)
        if with_content and pick.random() < 0.5:
            method, path = pick.choice(("POST", "POST", "PUT", "GET")), "/cgi-bin/echo"
        line = f"{method} {path} {pick.choice(VERSIONS)}"
        fields = [] if pick.random() < 0.04 else [f"Host: {pick.choice(HOSTS)}"]
        fields += [pick.choice(FIELDS) for _ in range(pick.choice((0, 0, 1, 1, 2, 4)))]
        body = ""
        if kind < 0.25:
            body = pick.choice(("hello", "x" * 40, "", "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"))
            fields.append("Content-Length: " + pick.choice(LENGTHS).format(n=len(body)))
        elif with_content:
            fields.append("Transfer-Encoding: " + pick.choice(CODINGS))
            body = self._chunks()
        pick.shuffle(fields)
        ends = [pick.choice(ENDS) if pick.random() < 0.05 else "\r\n" for _ in range(len(fields) + 2)]
        head = "".join(part + end for part, end in zip([line, *fields, ""], ends))
        return (head + body).encode("latin-1")

    def _chunks(self) -> str:
        pick = self._random
        chunks = ""
        for _ in range(pick.choice((0, 1, 1, 2, 3))):
            data = pick.choice(("hello", "0\r\n\r\n", "x" * 20, "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"))
            size = pick.choice(SIZES).format(n=len(data)) if pick.random() < 0.4 else f"{len(data):x}"
            chunks += size + self._end() + data + self._end()
        last = pick.choice(("0",) * 8 + ("00", "0;a", "0 ", "-0", "0x0"))
        return chunks + last + self._end() + pick.choice(TRAILERS) + self._end()

    def _end(self) -> str:
        return self._random.choice(ENDS) if self._random.random() < 0.2 else "\r\n"

    def _mutate(self, made: bytes) -> bytes:
        pick = self._random
        at = pick.randrange(len(made) + 1)
        kind = pick.randrange(6)
        if kind == 0:
            return made[:at] + pick.choice(NASTY) + made[at:]
        if kind == 1:
            return made[:at] + made[at + pick.choice((1, 1, 1, 2, 5)) :]
        if kind == 2:
            return made[:at] + bytes([pick.randrange(256)]) + made[at + 1 :]
        lines = made.split(b"\r\n")
        one, other = pick.randrange(len(lines)), pick.randrange(len(lines))
        if kind == 3:
            lines.insert(other, lines[one])
        elif kind == 4:
            lines[one], lines[other] = lines[other], lines[one]
        else:
            lines[one] = lines[one].swapcase()
        return b"\r\n".join(lines)


def read_table(path: Path) -> list[bytes]:
    """The bytes of each row."""
    rows = []
    for line in path.read_text(encoding="ascii").splitlines():
        if line and not line.startswith("#"):
            quoted = line[line.index(' "') + 2 : -1]
            # Of Python's escapes, only those that the table has are in it.
            rows.append(quoted.encode("ascii").decode("unicode_escape").encode("latin-1"))
    return rows

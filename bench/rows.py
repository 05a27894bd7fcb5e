"""The works that servers are compared in, and what tollgate has set itself: one table, read by all others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bench.site import HELLO, MEBIBYTE, pattern

ALL = ("lighttpd", "nginx", "apache", "busybox")
NO_BUSYBOX = ("lighttpd", "nginx", "apache")


@dataclass(frozen=True)
class Target:
    """What a figure of tollgate's has to be."""

    metric: str
    """What is looked at: rate, p99, cpu, or the figure of a row that has but one."""
    against: str
    """best: the best peer of the row; floor: the bare loop; itself: no comparison."""
    at_least: float | None = None
    at_most: float | None = None

    def met(self, value: float) -> bool:
        """Whether a value is good enough."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        bound = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        against = {"best": " × best peer", "floor": " × floor", "itself": ""}[self.against]
        return f"{self.metric} {bound}{against}"


@dataclass(frozen=True)
class Row:
    """One work under load: a request, how many clients send it, and what the answer has to be."""

    name: str
    title: str
    kind: str
    """file, cgi or fcgi: what has to be running besides the server."""
    path: str
    clients: int
    length: int
    """Bytes of the answer's content."""
    digest: str
    """SHA-256 of the answer's content."""
    targets: tuple[Target, ...]
    load: tuple[str, ...] = ("get",)
    """What wrk/report.lua is told."""
    peers: tuple[str, ...] = ALL
    floor: str = ""
    """spawn or echo: the bare loop that is measured beside it."""
    answer: int = 0
    """Bytes of an answer of the FastCGI application."""
    threads: int = 0
    """How many threads wrk has; 0: one for each core, which the server shares with them."""


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def rate(at_least: float, against: str = "best") -> Target:
    """A rate at least so many times that of the best peer."""
    return Target("rate", against, at_least=at_least)


def _rows() -> tuple[Row, ...]:
    hello, big_file = _sha(HELLO), pattern(10 * MEBIBYTE)
    posted = (_sha(big_file) + "\n").encode()
    ones = b"x" * (10 * MEBIBYTE)
    fast_hello, fast_long = b"x" * 12, b"x" * MEBIBYTE
    no_worse = Target("p99", "best", at_most=1.0)
    return (
        Row("cgi-c", "CGI, static C hello", "cgi", "/cgi-bin/hello-c", 8, 12, hello,
            (rate(1.30), rate(0.85, "floor")), floor="spawn"),
        Row("cgi-sh", "CGI, sh hello", "cgi", "/cgi-bin/hello-sh", 8, 12, hello, (rate(1.25),)),
        Row("cgi-python", "CGI, python3 hello", "cgi", "/cgi-bin/hello-py", 8, 12, hello, (rate(1.02),)),
        # lighttpd ends a program that has printed as much as its Content-Length said; Python then need not tidy up.
        Row("cgi-python-open", "CGI, python3 hello that gives no length", "cgi", "/cgi-bin/hello-open-py", 8, 12, hello,
            ()),
        Row("cgi-10mb-out", "CGI, 10 MiB of output", "cgi", "/cgi-bin/big", 4, len(ones), _sha(ones), (rate(1.5),)),
        Row("cgi-post-10mb", "CGI, POST of 10 MiB, hashed", "cgi", "/cgi-bin/sha256", 4,
            len(posted), _sha(posted), (rate(1.3),), load=("post",)),
        # With more clients than processes nginx would wait for ever: its workers keep connections, and so hold
        # processes, while the requests of other workers wait for one.
        Row("fcgi-hello", "FastCGI hello, 16 processes", "fcgi", "/fcgi", 16, 12, _sha(fast_hello),
            (rate(1.5), no_worse), peers=NO_BUSYBOX, answer=12),
        # A browser sends fifteen fields beside Host, and wrk none.
        Row("fcgi-hello-browser", "FastCGI hello, with a browser's fields", "fcgi", "/fcgi", 16, 12, _sha(fast_hello), (),
            load=("browser",), peers=NO_BUSYBOX, answer=12),
        Row("fcgi-1mb", "FastCGI, 1 MiB of output", "fcgi", "/fcgi", 8, MEBIBYTE, _sha(fast_long),
            (rate(1.2),), peers=NO_BUSYBOX, answer=MEBIBYTE),
        Row("file-12b", "file of 12 bytes", "file", "/hello.txt", 32, 12, hello,
            (rate(1.05), Target("cpu", "best", at_most=1.0)), floor="echo"),
        Row("file-12b-browser", "file of 12 bytes, with a browser's fields", "file", "/hello.txt", 32, 12, hello, (),
            load=("browser",)),
        Row("file-12b-close", "file of 12 bytes, a connection each", "file", "/hello.txt", 32, 12, hello, (),
            load=("close",)),
        Row("file-100k", "file of 100 KB", "file", "/100k.bin", 32, 100_000, _sha(pattern(100_000)), (rate(1.05),)),
        # With a thread of wrk on each core the scheduler decides, and lighttpd has clients wait for a fifth of a second.
        Row("file-12b-thread", "file of 12 bytes, wrk with one thread", "file", "/hello.txt", 32, 12, hello,
            (rate(1.05), Target("cpu", "best", at_most=1.0)), threads=1),
        Row("file-100k-thread", "file of 100 KB, wrk with one thread", "file", "/100k.bin", 32, 100_000,
            _sha(pattern(100_000)), (rate(1.05),), threads=1),
        Row("file-10m", "file of 10 MiB", "file", "/10m.bin", 8, len(big_file), _sha(big_file), (rate(1.1),)),
        # busybox answers one request and closes.
        Row("pipeline-16", "12 bytes, 16 requests at a time", "file", "/pipelined.txt", 32, 12, hello,
            (rate(1.2),), load=("pipeline", "16"), peers=NO_BUSYBOX, floor="echo"),
    )


ROWS = _rows()

"""Sends the same random requests to tollgate, lighttpd and nginx, and tells where they disagree:

    python3 -m fuzz.differential [--requests N] [--seed N] [--tollgate PATH]

All three serve the same files. Behind each request stands another one, so that it shows where each server thinks
that the first one ends. Compared are the kind of answer, whether the connection goes on, and the body. A
disagreement is looked at again, alone and with more patience, before it counts. Those that are meant are in
known.table, with the reason; any other makes the exit status 1. None is meant where tollgate sends something else
than what the file has, or the same part as another server with other bytes (content.py).
"""

from __future__ import annotations

import argparse
import doctest
import fnmatch
import os
import re
import signal
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import content
from .exchange import Outcome, exchange, is_error
from .grammar import Grammar
from .servers import Servers

HERE = Path(__file__).resolve().parent
AT_ONCE = 16
"""Requests on their way at the same time."""
QUIET, QUIET_AGAIN = 0.5, 4.0
"""Seconds of silence that mean that a server waits for more: at first, and when it is looked at again."""
SHOWN = 3
"""Requests that are shown of a kind of disagreement that is not known."""


@dataclass(frozen=True)
class Kind:
    """What two servers disagree about."""

    what: str
    """The reason code of tollgate's refusal, or else what is odd about the request."""
    tollgate: str
    peer: str
    does: str

    def __str__(self) -> str:
        return f"{self.what} | {self.tollgate} | {self.peer} | {self.does}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m fuzz.differential",
                                     description="Tells where tollgate, lighttpd and nginx disagree.")
    parser.add_argument("--requests", type=int, default=3000, metavar="N", help="how many (default 3000)")
    parser.add_argument("--seed", type=int, metavar="N", help="what they follow from (default: another one each time)")
    parser.add_argument("--tollgate", type=Path, metavar="PATH", default=HERE.parents[1] / "target/release/tollgate",
                        help="the server (default target/release/tollgate)")
    parser.add_argument("--all", action="store_true", help="show the kinds that are known too")
    return parser.parse_args()


def shapes(outcome: Outcome, counts_content: bool) -> list[tuple[str, bytes]]:
    """What has to be the same: the kind of each answer and the content of good ones, or just that it is good."""
    kinds = [("error", b"") if is_error(it) else
             ("good", b"") if not counts_content else
             (str(it.status), it.body if it.status in (200, 206) else b"") for it in outcome.answers]
    return [*kinds, ("next", b"")] if outcome.end == "next" else kinds


def is_multipart(outcome: Outcome) -> bool:
    """Whether the body has a boundary, which is never the same."""
    return any(answer.status == 206 and answer.body.startswith(b"\r\n--") for answer in outcome.answers)


def agree(one: Outcome, other: Outcome, counts_content: bool) -> bool:
    """Whether two servers did the same, as far as the connection went on with both of them."""
    if one.is_refusal() and other.is_refusal():
        return True
    counts_content = counts_content and not (is_multipart(one) and is_multipart(other))
    first, second = shapes(one, counts_content), shapes(other, counts_content)
    if first == second and one.end == other.end:
        return True
    # The one that closed the connection after its answers does not contradict the other.
    return any(mine and mine == theirs[: len(mine)] and end == "closed"
               for mine, theirs, end in ((first, second, one.end), (second, first, other.end)))


def has_echo(request: bytes) -> bool:
    """Whether the program may answer, which not all servers have."""
    return b"/cgi-bin/" in request


FEATURES = {
    "version-later": rb"[^\r\n]* HTTP/1\.[2-9]\r",
    "version-1.0": rb"[^\r\n]* HTTP/1\.0\r",
    "method": rb"(?!(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS) )",
    "options": rb"OPTIONS ",
    "post": rb"(POST|PUT|PATCH|DELETE) ",
    "no-length": rb"(?is)(?!(GET|HEAD|OPTIONS) )(?!.*\r\n(content-length|transfer-encoding):)",
    "absolute": rb"\S+ [a-zA-Z]+://",
    "climb": rb"[^\r\n]*(\.|%2[eE])(\.|%2[eE])",
    "escape": rb"[^\r\n]*%",
    "path-info": rb"[^\r\n]*(\.txt|echo)[^ ?\r\n]*/",
    "hidden": rb"[^\r\n]*/\.hidden",
    "program": rb"[^\r\n]*/cgi-bin",
    "host-empty": rb"(?is).*\r\nhost:[ \t]*\r\n",
    "host-odd": rb"(?is).*\r\nhost:[ \t]*(-|[^\r\n]*([^a-z0-9.: \r\n-]|:0+\r))",
    "host-number": rb"(?is).*\r\nhost:[ \t]*[0-9.]+[ \t]*\r\n",
    "twice": rb"(?is).*\r\n([a-z-]+):.*\r\n\1:",
    "tab": rb"(?is).*\r\n(content-length|transfer-encoding):[^\r\n]*\t",
    "expect": rb"(?is).*\r\nexpect:",
    "upgrade": rb"(?is).*\r\nupgrade:",
    "connection": rb"(?is).*\r\nconnection:",
    "range": rb"(?is).*\r\nrange:",
    "conditional": rb"(?is).*\r\nif-",
    "length": rb"(?is).*\r\ncontent-length:",
    "long": rb"(?is).*\r\ncontent-length:\s*[0-9]{9}",
    "chunked": rb"(?is).*\r\ntransfer-encoding:",
    "name": rb"(?s).*\r\n[^\r\n:]*[^\r\n:a-zA-Z0-9-][^\r\n:]*:",
    "opaque": rb"(?s).*[\x80-\xff]",
}
"""What may be odd about the head of a request that tollgate does not refuse: patterns that it begins with."""

OTHER_BYTES = "other bytes"
"""What the description of a disagreement ends with that no row makes a meant one."""

REFUSALS = ("head.", "host.", "framing.", "target.", "expect.", "body.")
"""What the codes begin with that stand for a request which is not in order."""

PATTERNS = {name: re.compile(pattern) for name, pattern in FEATURES.items()}


def reason_of(servers: Servers, start: int, request: bytes) -> str:
    """The reason code of a refusal in tollgate's access log past `start`, else what is odd about the request, with
    plus signs between; where what follows was refused, its reason code is among that."""
    lines = servers.access_log.read_bytes()[start:].decode("latin-1").splitlines()
    first, *others = [line.rsplit(" ", 1)[-1] for line in lines] or ["-"]
    if first.startswith(REFUSALS):
        return first
    head = request.lstrip(b"\r\n").partition(b"\r\n\r\n")[0] + b"\r\n"
    features = [name for name, pattern in PATTERNS.items() if pattern.match(head)]
    # What stands behind may be one, too.
    features += ["host-empty-behind"] if PATTERNS["host-empty"].match(request[len(head) :]) else []
    features += ["blank-first"] if request.startswith(b"\r\n") else []
    features += ["blank-behind"] if request.endswith(b"\r\n\r\n") and request.count(b"\r\n\r\n") > 1 else []
    features += [code for code in others if code.startswith(REFUSALS)]
    return "+".join(features) or "plain"


def known_kinds() -> list[tuple[list[str], str]]:
    """The patterns of known.table, each with its reason."""
    rows = []
    for line in (HERE / "known.table").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            *patterns, why = (cell.strip() for cell in line.split(" | "))
            if len(patterns) != 4 or not why:
                raise SystemExit(f"differential: known.table: not four cells and a reason: {line}")
            rows.append((patterns, why))
    return rows


def place_of(kind: Kind, known: list[tuple[list[str], str]]) -> int | None:
    """The row that says why a disagreement is meant; None where it is not."""
    if kind.does.endswith(OTHER_BYTES):
        return None
    for place, ((what, *patterns), _) in enumerate(known):
        is_met = fnmatch.fnmatchcase(kind.what, what) or set(what.split("+")) <= set(kind.what.split("+"))
        cells = (kind.tollgate, kind.peer, kind.does)
        if is_met and all(map(fnmatch_any, cells, patterns)):
            return place
    return None


def fnmatch_any(cell: str, patterns: str) -> bool:
    """Whether one of the patterns, which have commas between, fits."""
    return any(fnmatch.fnmatchcase(cell, pattern.strip()) for pattern in patterns.split(","))


def disagreements(servers: Servers, request: bytes, quiet: float) -> list[Kind]:
    """Those about a request, looked at alone."""
    start = servers.access_log.stat().st_size
    own = exchange(servers.sockets["tollgate"], request, quiet)
    kinds = []
    if content.is_wrong(request, own):
        kinds.append(Kind(reason_of(servers, start, request), own.summary(), "the file", OTHER_BYTES))
    for name, at in servers.sockets.items():
        other = own if name == "tollgate" else exchange(at, request, quiet)
        if content.have_parts_that_differ(own, other):
            does = f"{other.summary()} with {OTHER_BYTES}"
            kinds.append(Kind(reason_of(servers, start, request), own.summary(), name, does))
        elif not agree(own, other, name != "nginx" or not has_echo(request)):
            does = other.summary()
            if own.summary() == does:
                does += " with another body"
            kinds.append(Kind(reason_of(servers, start, request), own.summary(), name, does))
    return kinds


def main() -> int:
    """Runs, reports, and returns the exit status."""
    options = arguments()
    if doctest.testmod(content).failed:
        return 1
    seed = int.from_bytes(os.urandom(4), "big") if options.seed is None else options.seed
    print(f"differential: {options.requests} requests, --seed {seed}")
    known, grammar = known_kinds(), Grammar(seed)
    counts: Counter[int] = Counter()
    unknown: dict[Kind, list[bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="tollgate-differential-") as name:
        servers = Servers(Path(name), options.tollgate)
        if len(servers.sockets) == 1:
            servers.stop()
            print("differential: skipped: neither lighttpd nor nginx is installed")
            return 0

        def differs(request: bytes) -> bytes | None:
            outcomes = {name: exchange(at, request, QUIET) for name, at in servers.sockets.items()}
            own = outcomes["tollgate"]
            same = (agree(own, it, name != "nginx" or not has_echo(request))
                    and not content.have_parts_that_differ(own, it) for name, it in outcomes.items())
            return request if content.is_wrong(request, own) or not all(same) else None

        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                left = options.requests
                while left > 0:
                    batch = [grammar.request() for _ in range(min(left, 256))]
                    left -= len(batch)
                    for request in filter(None, list(pool.map(differs, batch))):
                        kinds = disagreements(servers, request, QUIET)
                        if any(place_of(kind, known) is None for kind in kinds):
                            kinds = disagreements(servers, request, QUIET_AGAIN)
                        for kind in kinds:
                            place = place_of(kind, known)
                            if place is None:
                                unknown.setdefault(kind, []).append(request)
                            else:
                                counts[place] += 1
                    servers.check()
        finally:
            servers.stop()
    if options.all:
        for place, count in counts.most_common():
            patterns, why = known[place]
            print(f"{count:6} times {' | '.join(patterns)}: {why}")
    print(f"differential: {sum(counts.values())} disagreements of {len(counts)} kinds that are meant")
    for kind, requests in sorted(unknown.items(), key=lambda item: -len(item[1])):
        print(f"{len(requests):6} times {kind}")
        for request in sorted(set(requests), key=len)[:SHOWN]:
            print(f"             {request!r}")
    if unknown:
        print(f"differential: {len(unknown)} kinds of disagreement that known.table does not have")
    return 1 if unknown else 0


if __name__ == "__main__":
    # Whoever ends it ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    raise SystemExit(main())

"""What is not a rate: memory, isolation, starting, size and system calls. Each is one figure for each server.

A figure is measured by a function of a server's name and the number of the round; they are in one table at the end.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import calls, load
from bench.crowd import BareSleepers, Idle, Sleepers
from bench.measure import Options, median, say
from bench.rows import NO_BUSYBOX, ROWS, Row, Target
from bench.servers import PATIENCE, Server
from bench.site import FOLDERS, Site

CROWD = 10_000
STARTS = 9
MANY = f"/of-{FOLDERS[-1]}"
# tollgate closes what has been idle for 15 s, and takes 10,000 connections, if nothing else is said.
ROOMY = ("--idle-timeout", "120", "--max-connections", "12000")
CGI_HELLO = next(row for row in ROWS if row.name == "cgi-c")
SMALL_FILE = next(row for row in ROWS if row.name == "file-12b")
CONSOLE = ("--console", "127.0.0.1:0")


@dataclass(frozen=True)
class Context:
    """What a figure is measured with."""

    server: str
    number: int
    site: Site
    options: Options

    def start(self, kind: str = "file", more: tuple[str, ...] = (), binary: Path | None = None) -> Server:
        """The server, answering."""
        server = Server(self.server, self.site, binary or self.options.tollgate, kind, options=more)
        try:
            server.wait()
        except BaseException:
            server.stop()
            raise
        return server


def idle_connection(context: Context) -> float:
    """KiB that the server grew by for each of 10,000 connections that have each had one answer."""
    with context.start(more=ROOMY) as server:
        with Idle(server, ["/hello.txt"] * 100):
            pass  # What it allocates once and for all, it has now.
        before = server.pss()
        with Idle(server, ["/hello.txt"] * CROWD) as crowd:
            grown = server.pss() - before
            crowd.check()
        return grown / CROWD


def isolation(context: Context) -> float:
    """How many times as long 99 of 100 answers take while all places for programs are taken."""
    seconds = max(context.options.seconds, 2.0)
    with context.start("cgi") as server:
        alone = load.wrk(server, "/hello.txt", 12, 4, seconds).p99
        with Sleepers(server):
            beside = load.wrk(server, "/hello.txt", 12, 4, seconds).p99
    assert alone and beside
    return beside / alone


def isolation_bare(context: Context) -> float:
    """The same where no server starts these programs: what they cost whoever shares the processors with them."""
    seconds = max(context.options.seconds, 2.0)
    with context.start("cgi") as server:
        alone = load.wrk(server, "/hello.txt", 12, 4, seconds).p99
        with BareSleepers(context.site.cgi / "sleep"):
            beside = load.wrk(server, "/hello.txt", 12, 4, seconds).p99
    assert alone and beside
    return beside / alone


def crowded(context: Context) -> float:
    """The rate of CGI with 5,000 idle connections and 500 MiB of files served, divided by the rate without."""
    files = context.site.many_megabytes(500)

    def empty() -> float:
        with context.start("cgi", ROOMY) as server:
            return _cgi_rate(server, context.options.seconds)

    def full() -> float:
        with context.start("cgi", ROOMY) as server:
            for path in files:
                server.get(path)
            with Idle(server, [f"{MANY}/{number}.txt" for number in range(CROWD // 2)]) as crowd:
                rate = _cgi_rate(server, context.options.seconds)
                crowd.check()
            return rate

    if context.number % 2:
        with_crowd = full()
        return with_crowd / empty()
    without = empty()
    return full() / without


def _cgi_rate(server: Server, seconds: float) -> float:
    row = CGI_HELLO
    return load.wrk(server, row.path, row.length, row.clients, seconds).rate


def _rate(context: Context, row: Row, more: tuple[str, ...] = (), binary: Path | None = None) -> float:
    with context.start(row.kind, more, binary) as server:
        return load.wrk(server, row.path, row.length, row.clients, context.options.seconds, row.load).rate


def _against(context: Context, one: Callable[[], float], other: Callable[[], float]) -> float:
    """The rate of one divided by that of the other; who begins changes from round to round."""
    if context.number % 2:
        first = one()
        return first / other()
    second = other()
    return one() / second


def console_on(row: Row) -> Callable[[Context], float]:
    """The rate of a row while the console is on, divided by the rate without."""
    return lambda context: _against(context, lambda: _rate(context, row, CONSOLE), lambda: _rate(context, row))


def console_off(row: Row) -> Callable[[Context], float | None]:
    """The rate of a row with a program that has a console, which is off, divided by that of one without features."""
    def measure(context: Context) -> float | None:
        without = context.options.no_default_binary
        if without is None:
            return None
        return _against(context, lambda: _rate(context, row), lambda: _rate(context, row, binary=without))
    return measure


def start(context: Context) -> float:
    """Milliseconds from the start of the process to the first answer, the median of nine starts."""
    times = []
    for _ in range(STARTS):
        with Server(context.server, context.site, context.options.tollgate, "file") as server:
            _first_answer(server)
            times.append((time.perf_counter() - server.begun) * 1000)
    return statistics.median(times)


def _first_answer(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            load.raw_answer(server, "/hello.txt")
            return
        except ConnectionRefusedError:
            time.sleep(0.0001)
    raise load.Wrong(f"{server.name} does not answer: {server.sessions[-1].last_words()}")


def memory_at_start(context: Context) -> float:
    """KiB (Pss) after the first answer."""
    with context.start() as server:
        return server.pss()


def size(context: Context) -> float:
    """KiB of the program."""
    return context.options.tollgate.stat().st_size / 1024


def size_without(context: Context) -> float | None:
    """KiB of the program without default features, where one was named."""
    path = context.options.no_default_binary
    return path.stat().st_size / 1024 if path else None


def calls_for_file(context: Context) -> float | None:
    """System calls for each GET of 12 bytes on a connection that is kept."""
    with context.start() as server:
        return calls.per_request(server, "/hello.txt", server.pids, few=100, many=1100)


def calls_for_cgi(context: Context) -> float | None:
    """System calls for each CGI hello on a connection that is kept, of the process that has the connection."""
    with context.start("cgi") as server:
        return calls.per_request(server, CGI_HELLO.path, server.own_pids, few=20, many=120)


def all_calls_for_cgi(context: Context) -> float | None:
    """The same with those of the processes that start programs for it; those of the program are not counted."""
    with context.start("cgi") as server:
        return calls.per_request(server, CGI_HELLO.path, server.pids, few=20, many=120)


@dataclass(frozen=True)
class Figure:
    """One figure: what it is, for whom, and how it is got."""

    name: str
    title: str
    unit: str
    measure: Callable[[Context], float | None]
    targets: tuple[Target, ...]
    peers: tuple[str, ...] = NO_BUSYBOX
    rounds: int = 1
    """How often it is measured at most: what hardly varies is measured once."""
    quick_peers: bool = True
    """Whether peers are asked in a quick run too."""


def _limit(unit: str, **bound: float) -> tuple[Target, ...]:
    return (Target(unit, "itself", **bound),)


FIGURES = (
    Figure("idle-10000", "each of 10,000 idle connections: memory", "KiB", idle_connection, _limit("KiB", at_most=0.7),
           rounds=3),
    Figure("isolation", "p99 of 12 bytes while programs of 2 s take all places, against without", "×", isolation,
           _limit("×", at_most=2.0), rounds=5, quick_peers=False),
    Figure("isolation-bare", "the same where the programs are started by a bare loop, and not by the server", "×",
           isolation_bare, (), peers=(), rounds=5),
    Figure("cgi-crowded", "CGI rate with 5,000 idle connections and 500 MiB of files, against without", "×", crowded,
           _limit("×", at_least=0.95), rounds=5, quick_peers=False),
    Figure("console-file", "12 bytes with the console on, against without", "×", console_on(SMALL_FILE),
           _limit("×", at_least=0.85), peers=(), rounds=5),
    Figure("console-cgi", "CGI with the console on, against without", "×", console_on(CGI_HELLO),
           _limit("×", at_least=0.95), peers=(), rounds=5),
    Figure("console-off-file", "12 bytes by a program with all features, against one with none", "×",
           console_off(SMALL_FILE), (), peers=(), rounds=5),
    Figure("console-off-cgi", "CGI by a program with all features, against one with none", "×",
           console_off(CGI_HELLO), (), peers=(), rounds=5),
    Figure("start", "start to first answer", "ms", start, _limit("ms", at_most=5), peers=(*NO_BUSYBOX, "busybox")),
    Figure("memory", "memory at start (Pss)", "KiB", memory_at_start, _limit("KiB", at_most=2048),
           peers=(*NO_BUSYBOX, "busybox")),
    Figure("size", "size of the program", "KiB", size, _limit("KiB", at_most=1228.8), peers=()),
    Figure("size-without", "size without default features", "KiB", size_without, _limit("KiB", at_most=800), peers=()),
    Figure("calls-file", "system calls, GET of 12 bytes", "calls", calls_for_file, _limit("calls", at_most=4)),
    Figure("calls-cgi", "system calls, CGI hello", "calls", calls_for_cgi, _limit("calls", at_most=30)),
    Figure("calls-cgi-all", "the same, with those of the processes that start programs for it", "calls",
           all_calls_for_cgi, ()),
)


@dataclass
class FigureResult:
    """What was measured of a figure."""

    figure: Figure
    servers: dict[str, list[float | None]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Ready to be written."""
        own = median(self.servers.get("tollgate", []))
        return {
            "name": self.figure.name,
            "title": self.figure.title,
            "unit": self.figure.unit,
            "servers": {name: median(values) for name, values in self.servers.items()},
            "rounds": self.servers,
            "checks": [
                {"target": str(target), "value": own,
                 "met": None if own is None and not self.failures else own is not None and target.met(own)}
                for target in self.figure.targets
            ],
            "failures": self.failures,
        }


def run_figures(figures: list[Figure], site: Site, options: Options) -> list[FigureResult]:
    """All figures, each as often as it has to be."""
    results = [FigureResult(figure) for figure in figures]
    for number in range(options.rounds):
        for result in results:
            if number < (1 if options.quick else result.figure.rounds):
                _round(number, result, site, options)
    return results


def _round(number: int, result: FigureResult, site: Site, options: Options) -> None:
    figure, told = result.figure, []
    for name in options.servers:
        if name != "tollgate" and (name not in figure.peers or (options.quick and not figure.quick_peers)):
            continue
        value = None
        try:
            value = figure.measure(Context(name, number, site, options))
        except (load.Wrong, OSError) as error:
            result.failures.append(f"{name}: {error}")
            say(f"bench: {figure.name}: {name}: {error}")
        result.servers.setdefault(name, []).append(value)
        told.append(f"{name} {'-' if value is None else f'{value:,.2f}'}")
    say(f"{number + 1}/{options.rounds} {figure.name:14} {'  '.join(told)}")

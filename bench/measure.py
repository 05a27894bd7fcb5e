"""The rounds: in each, row by row, every server has its turn, and so has the floor.

Servers are started anew for every turn, and so is the FastCGI application. Who begins changes from round to
round. Ratios are formed within a round, of turns that are seconds apart, and their median is what counts: the
speed of a machine changes over minutes, above all of a virtual one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench import load
from bench.process import Session
from bench.rows import Row, Target
from bench.servers import CORES, Server, free_port
from bench.site import Site

QUICK_LIMIT = 85.0
"""Seconds that the rounds of a quick run would take at most, if all were as long as those before."""
METRICS = ("rate", "p50", "p99", "cpu", "pss")
BEHIND = 0.7
"""In a quick run, a peer whose rate in the first round is below so much of the best one's is not asked again."""


@dataclass
class Options:
    """What the command line says."""

    tollgate: Path
    servers: tuple[str, ...]
    rounds: int
    seconds: float
    quick: bool
    no_default_binary: Path | None = None


@dataclass
class Result:
    """What was measured in a row: for each server and each metric a value a round; None where there is none."""

    row: Row
    servers: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)
    floor: list[float | None] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def note(self, server: str, values: dict[str, float | None]) -> None:
        """Adds a round's values."""
        metrics = self.servers.setdefault(server, {metric: [] for metric in METRICS})
        for metric in METRICS:
            metrics[metric].append(values.get(metric))

    def median(self, server: str, metric: str) -> float | None:
        """The median over the rounds."""
        return median(self.servers.get(server, {}).get(metric, []))

    def ratios(self, target: Target) -> list[float]:
        """For each round what tollgate has, divided by what it is compared with."""
        ours = self.servers.get("tollgate", {}).get(target.metric, [])
        found = []
        for number, own in enumerate(ours):
            other = self._other(target, number)
            if own is not None and other:
                found.append(own / other)
        return found

    def best_peer(self, metric: str) -> str | None:
        """Who of the peers has the best median."""
        medians = {name: self.median(name, metric) for name in self.servers if name != "tollgate"}
        known = {name: value for name, value in medians.items() if value is not None}
        if not known:
            return None
        return (max if metric == "rate" else min)(known, key=lambda name: known[name])

    def _other(self, target: Target, number: int) -> float | None:
        if target.against == "floor":
            return self.floor[number] if number < len(self.floor) else None
        values = [metrics[target.metric][number] for name, metrics in self.servers.items() if name != "tollgate"]
        known = [value for value in values if value is not None]
        if not known:
            return None
        return max(known) if target.metric == "rate" else min(known)


def median(values: Iterable[float | None]) -> float | None:
    """The median of what is known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def say(text: str) -> None:
    """Tells how far it is, on standard error: standard output has the table alone."""
    print(text, file=sys.stderr, flush=True)


def run_rows(rows: Iterable[Row], site: Site, options: Options) -> list[Result]:
    """All rounds of all rows. A quick run leaves rounds out where the machine is too slow for them."""
    results = [Result(row) for row in rows]
    begin = time.monotonic()
    for number in range(options.rounds):
        if options.quick and number and (time.monotonic() - begin) * (number + 1) / number > QUICK_LIMIT:
            say(f"bench: quick: only {number} of {options.rounds} rounds")
            break
        for result in results:
            _round(number, result, site, options)
    return results


def _round(number: int, result: Result, site: Site, options: Options) -> None:
    row = result.row
    turns = [name for name in options.servers if name == "tollgate" or name in row.peers]
    turns = turns[number % len(turns):] + turns[: number % len(turns)]
    best = result.best_peer("rate")
    told = []
    for name in turns:
        slow = best is not None and name not in ("tollgate", best) and options.quick and (
            (result.median(name, "rate") or 0) < BEHIND * (result.median(best, "rate") or 0)
        )
        values: dict[str, float | None] = {}
        if not slow:
            try:
                values = turn(name, row, site, options)
                told.append(f"{name} {values['rate']:,.0f}")
            except load.Wrong as error:
                result.failures.append(str(error))
                say(f"bench: {row.name}: {error}")
        result.note(name, values)
    if row.floor:
        value = FLOORS[row.floor](row, site, options)
        result.floor.append(value)
        told.append(f"floor {value:,.0f}")
    say(f"{number + 1}/{options.rounds} {row.name:14} {'  '.join(told)}")


def turn(name: str, row: Row, site: Site, options: Options) -> dict[str, float | None]:
    """Starts a server, sees that it answers right, measures it, and ends it."""
    with Server(name, site, options.tollgate, row.kind, row.answer, row.clients) as server:
        server.wait()
        load.verify(server, row)
        before = server.cpu()
        measured = load.wrk(server, row.path, row.length, row.clients, options.seconds, row.load,
                            row.threads)
        cpu = (server.cpu() - before) / measured.requests * 1e6 if server.cpu_is_whole() else None
        return {"rate": measured.rate, "p50": measured.p50, "p99": measured.p99, "cpu": cpu, "pss": server.pss()}


def spawn_floor(row: Row, site: Site, options: Options) -> float:
    """Programs a second that a bare loop can run, with two loops for each core."""
    command = [str(site.tools / "spawn-floor"), str(site.cgi / Path(row.path).name),
               f"{options.seconds * 1000:.0f}", str(2 * CORES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=options.seconds + 30, check=True)
    return float(done.stdout)


def echo_floor(row: Row, site: Site, options: Options) -> float:
    """Answers a second of a server that understands nothing, with the bytes that tollgate answers with."""
    answer = site.dir / "answer.http"
    if not answer.exists():
        with Server("tollgate", site, options.tollgate, "file") as server:
            server.wait()
            answer.write_bytes(load.raw_answer(server, row.path))
    port = free_port()
    session = Session([str(site.tools / "echo-floor"), str(port), str(answer), str(CORES)], site.dir / "echo.log")
    try:
        load.wait_for_port(port)
        return load.wrk_at("floor", port, row.path, row.length, row.clients, options.seconds, row.load).rate
    finally:
        session.stop()


FLOORS: dict[str, Callable[[Row, Site, Options], float]] = {"spawn": spawn_floor, "echo": echo_floor}

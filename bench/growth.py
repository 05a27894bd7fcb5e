"""How a rate changes with the number of clients, and with the number of files in a folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bench import load
from bench.measure import Options, median, say
from bench.rows import NO_BUSYBOX, ROWS
from bench.servers import Server
from bench.site import FOLDERS, Site

CLIENTS = tuple(1 << power for power in range(9))
QUICK_CLIENTS = (1, 16, 256)
MOST_ROUNDS = 3


@dataclass(frozen=True)
class Point:
    """One load of a curve."""

    x: int
    path: str
    clients: int
    load: tuple[str, ...]


@dataclass(frozen=True)
class Curve:
    """A row at several sizes."""

    name: str
    title: str
    what: str
    """What grows."""
    kind: str
    length: int
    points: tuple[Point, ...]


def curves(quick: bool) -> list[Curve]:
    """The three curves."""
    found = []
    for name in ("file-12b", "cgi-c"):
        row = next(row for row in ROWS if row.name == name)
        points = tuple(Point(count, row.path, count, row.load) for count in (QUICK_CLIENTS if quick else CLIENTS))
        found.append(Curve(f"{name}-clients", row.title, "clients", row.kind, row.length, points))
    row = next(row for row in ROWS if row.name == "file-12b")
    points = tuple(Point(count, f"/of-{count}/", row.clients, ("spread", str(count))) for count in FOLDERS)
    found.append(Curve("file-12b-files", row.title, "files in the folder", row.kind, row.length, points))
    return found


def run_curves(site: Site, options: Options) -> list[dict[str, Any]]:
    """Every point of every curve for every server, ready to be written."""
    servers = [name for name in options.servers if name == "tollgate" or (name in NO_BUSYBOX and not options.quick)]
    options = replace(options, rounds=1 if options.quick else min(options.rounds, MOST_ROUNDS),
                      seconds=min(options.seconds, 1.0))
    records = []
    for curve in curves(options.quick):
        rates: dict[str, list[float | None]] = {name: [] for name in servers}
        failures: list[str] = []
        for point in curve.points:
            measured: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(options.rounds):
                for name in servers:
                    try:
                        measured[name].append(_rate(name, curve, point, site, options))
                    except load.Wrong as error:
                        failures.append(f"{point.x} {curve.what}: {error}")
                        say(f"bench: {curve.name}: {failures[-1]}")
            for name in servers:
                rates[name].append(median(measured[name]))
        for name in servers:
            told = "  ".join(f"{value or 0:,.0f}" for value in rates[name])
            say(f"growth {curve.name:16} {name:9} {told}")
        records.append({"name": curve.name, "title": curve.title, "what": curve.what,
                        "x": [point.x for point in curve.points], "servers": rates, "failures": failures})
    return records


def _rate(name: str, curve: Curve, point: Point, site: Site, options: Options) -> float:
    with Server(name, site, options.tollgate, curve.kind, clients=point.clients) as server:
        server.wait()
        return load.wrk(server, point.path, curve.length, point.clients, options.seconds, point.load).rate

"""What came of it: all figures as one value for JSON, and the table on standard output."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from bench.figures import FigureResult
from bench.measure import Options, Result, median
from bench.servers import version

COLUMNS = ("tollgate", "lighttpd", "nginx", "apache", "busybox", "floor")


def collect(results: list[Result], figures: list[FigureResult], growth: list[dict[str, Any]],
            options: Options) -> dict[str, Any]:
    """Everything, ready to be written."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": machine(),
        "versions": {name: version(name, options.tollgate) for name in (*options.servers, "fcgiwrap", "wrk")},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "quick": options.quick,
        "rows": [_row(result) for result in results],
        "figures": [result.record() for result in figures],
        "growth": growth,
    }


def machine() -> dict[str, Any]:
    """What it ran on."""
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    system = "Linux"
    try:
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
            if line.startswith("PRETTY_NAME="):
                system = line.split("=", 1)[1].strip('"')
    except OSError:
        pass
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "system": system,
        "congestion": _congestion(),
    }


def _congestion() -> str:
    """What paces TCP, over loopback too: bbr does it by timers, and then much idles that others send at once."""
    try:
        return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _row(result: Result) -> dict[str, Any]:
    row = result.row
    return {
        "name": row.name,
        "title": row.title,
        "clients": row.clients,
        "servers": {
            name: {metric: median(values) for metric, values in metrics.items()}
            for name, metrics in result.servers.items()
        },
        "floor": median(result.floor),
        "checks": [_check(result, target) for target in row.targets],
        "failures": result.failures,
        "rounds": result.servers,
        "floor_rounds": result.floor,
    }


def _check(result: Result, target: Any) -> dict[str, Any]:
    """A target with what was reached; without anything to compare with it is neither met nor missed."""
    ratios = result.ratios(target)
    value = median(ratios)
    return {
        "target": str(target),
        "peer": result.best_peer(target.metric) if target.against == "best" else None,
        "value": value,
        "rounds": ratios,
        "met": None if value is None else target.met(value),
    }


def merge(several: list[dict[str, Any]]) -> dict[str, Any]:
    """One value of several runs: of works that are in more than one, the later one's.

    When, where and how is told of the last run that has rows; what another one measured says so itself (`run`).
    """
    main = next((data for data in reversed(several) if data["rows"]), several[-1])
    merged = dict(main)
    for part in ("rows", "figures", "growth"):
        found: dict[str, Any] = {}
        for data in several:
            run = f"{data['date']}, rounds: {data['rounds']}, {data['seconds']:g} s each"
            for about in data[part]:
                found[about["name"]] = {"run": run} | about | ({} if data is main else {"other": True})
        merged[part] = list(found.values())
    return merged


def write_json(data: dict[str, Any], path: Path) -> None:
    """Writes all figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def shown(value: float | None) -> str:
    """Three digits that count, and separators between thousands."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def verdict(check: dict[str, Any], failures: list[str]) -> str:
    """What is said of a target."""
    if failures:
        return "FAILED"
    return {None: "not measured", True: "met", False: "NOT MET"}[check["met"]]


def print_table(data: dict[str, Any]) -> None:
    """Rates, the details, the single figures, the curves, and the targets."""
    if data["rows"]:
        _print_rows(data)
    if data["figures"]:
        print("\nsingle figures")
        _print_names(COLUMNS[:-1])
        for about in data["figures"]:
            _print_values(about["name"], COLUMNS[:-1], about["servers"], about["unit"])
    for curve in data["growth"]:
        print(f"\n{curve['title']}: answers a second by number of {curve['what']}")
        print(f"{'':15}" + "".join(f"{x:>11,}" for x in curve["x"]))
        for name, values in curve["servers"].items():
            print(f"{name:15}" + "".join(f"{shown(value):>11}" for value in values))
    print("\ntargets")
    for about in data["rows"] + data["figures"]:
        for check in about["checks"]:
            text = check["target"] + (f" ({check['peer']})" if check.get("peer") else "")
            print(f"{about['name']:15}{text:42}{shown(check['value']):>8}  {verdict(check, about['failures'])}")
    for about in data["rows"] + data["figures"] + data["growth"]:
        for failure in about["failures"]:
            print(f"{about['name']:15}failed: {failure}")


def _print_rows(data: dict[str, Any]) -> None:
    print(f"\nanswers a second (medians of {data['rounds']} rounds of {data['seconds']:g} s)")
    _print_names(COLUMNS)
    for row in data["rows"]:
        rates = {name: about["rate"] for name, about in row["servers"].items()}
        _print_values(row["name"], COLUMNS, rates | {"floor": row["floor"]})
    for metric, title in (("p50", "half of them within, ms"), ("p99", "99 of 100 within, ms"),
                          ("cpu", "processor time of each, µs"), ("pss", "memory (Pss) at the end, KiB")):
        print(f"\n{title}")
        for row in data["rows"]:
            _print_values(row["name"], COLUMNS[:-1], {name: about[metric] for name, about in row["servers"].items()})


def _print_names(columns: tuple[str, ...]) -> None:
    print(f"{'':15}" + "".join(f"{name:>11}" for name in columns))


def _print_values(name: str, columns: tuple[str, ...], values: dict[str, float | None], unit: str = "") -> None:
    print(f"{name:15}" + "".join(f"{shown(values.get(column)):>11}" for column in columns) + f"  {unit}".rstrip())

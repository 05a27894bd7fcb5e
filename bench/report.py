"""What came of it: the table on standard output, and all figures as JSON."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

from bench.measure import Options, Result, median
from bench.servers import version

COLUMNS = ("tollgate", "lighttpd", "nginx", "apache", "busybox", "floor")


def figures(value: float | None) -> str:
    """Three digits that count, and separators between thousands."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def checks(result: Result) -> list[dict[str, Any]]:
    """Each target of a row with what was reached."""
    found = []
    for target in result.row.targets:
        ratios = result.ratios(target)
        value = median(ratios)
        found.append({
            "target": str(target),
            "metric": target.metric,
            "against": target.against,
            "peer": result.best_peer(target.metric) if target.against == "best" else None,
            "value": value,
            "rounds": ratios,
            "met": value is not None and target.met(value) and not result.failures,
        })
    return found


def collect(results: list[Result], options: Options) -> dict[str, Any]:
    """Everything, ready to be written."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": machine(),
        "versions": {name: version(name, options.tollgate) for name in (*options.servers, "fcgiwrap", "wrk")},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "quick": options.quick,
        "rows": [_row(result) for result in results],
    }


def machine() -> dict[str, Any]:
    """What it ran on."""
    processor = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    memory = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) / 1048576
    return {
        "processor": processor,
        "cores": len(_cores()),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "architecture": platform.machine(),
    }


def _cores() -> list[str]:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("processor")]


def _row(result: Result) -> dict[str, Any]:
    row = result.row
    servers = {
        name: {metric: median(values) for metric, values in metrics.items()}
        for name, metrics in result.servers.items()
    }
    return {
        "name": row.name,
        "title": row.title,
        "clients": row.clients,
        "servers": servers,
        "rounds": result.servers,
        "floor": median(result.floor),
        "checks": checks(result),
        "failures": result.failures,
    }


def write_json(data: dict[str, Any], path: Path) -> None:
    """Writes all figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def print_table(data: dict[str, Any]) -> None:
    """Prints rates, then the details, then the targets."""
    print(f"\nanswers a second (medians of {data['rounds']} rounds of {data['seconds']:g} s)")
    print(f"{'':15}" + "".join(f"{name:>11}" for name in COLUMNS))
    for row in data["rows"]:
        values = {name: about["rate"] for name, about in row["servers"].items()} | {"floor": row["floor"]}
        print(f"{row['name']:15}" + "".join(f"{figures(values.get(name)):>11}" for name in COLUMNS))
    for metric, title in (("p50", "half of them within, ms"), ("p99", "99 of 100 within, ms"),
                          ("cpu", "processor time of each, µs"), ("pss", "memory (Pss) at the end, KiB")):
        print(f"\n{title}")
        for row in data["rows"]:
            values = {name: about[metric] for name, about in row["servers"].items()}
            print(f"{row['name']:15}" + "".join(f"{figures(values.get(name)):>11}" for name in COLUMNS[:-1]))
    print("\ntargets")
    for row in data["rows"]:
        for check in row["checks"]:
            peer = f" ({check['peer']})" if check["peer"] else ""
            verdict = "met" if check["met"] else "NOT MET"
            print(f"{row['name']:15}{check['target'] + peer:42}{figures(check['value']):>8}  {verdict}")
        for failure in row["failures"]:
            print(f"{row['name']:15}failed: {failure}")

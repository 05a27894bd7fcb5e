"""Writes docs/performance.md and its two pictures from the figures of one run, or of several.

    python3 -m bench.document FILE...      of works that are in more than one file, the last one's figures count
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench import chart, report
from bench.report import shown
from bench.site import HERE

DOCS = HERE.parent / "docs"
LIMITS = HERE / "limits.md"
"""What the figures do not say: why a work is not faster."""
MARK = {"met": "met", "NOT MET": "**not met**", "FAILED": "**failed**", "not measured": "not measured"}
QUICK = (", a quick run: short turns, and a peer that is far behind in the first round is not asked again; good "
         "for a first look")


def write(data: dict[str, Any], docs: Path = DOCS) -> None:
    """The page, and a picture for each part that there are figures for."""
    docs.mkdir(exist_ok=True)
    if data["rows"]:
        (docs / "performance.svg").write_text(chart.bars(data), encoding="utf-8")
    if data["growth"]:
        (docs / "growth.svg").write_text(chart.lines(data), encoding="utf-8")
    (docs / "performance.md").write_text(page(data), encoding="utf-8")


def page(data: dict[str, Any]) -> str:
    """The page as Markdown."""
    machine, versions = data["machine"], data["versions"]
    parts = [
        "# Performance",
        "",
        "tollgate beside lighttpd, nginx, Apache and busybox httpd: the same files and programs, in turns, on one "
        "machine. This page is written by the bench (`bench/`); only ratios mean anything elsewhere.",
        "",
        f"- **When**: {data['date']}{QUICK if data['quick'] else ''}",
        f"- **Where**: {machine['cores']} cores ({machine['processor']}), {machine['memory_gib']:g} GiB, "
        f"{machine['system']}, Linux {machine['kernel']}, congestion control {machine.get('congestion', 'unknown')}; "
        "clients and servers share the cores",
        "- **What**: " + "; ".join(text for name, text in versions.items() if name != "wrk"),
        f"- **How**: rounds, {data['rounds']} in number; in each, every server is started, asked whether it answers "
        f"right, put under load for {data['seconds']:g} s with {versions['wrk'].replace('debian/', '')}, and stopped. "
        "Ratios are formed within a round; the median of the rounds counts. A failed request fails its row.",
        "",
    ]
    if data["rows"]:
        parts += ["![Answers a second, against the best peer of each row](performance.svg)", ""]
    parts += _targets(data)
    if data["rows"]:
        parts += _rows(data)
    if data["figures"]:
        parts += _figures(data)
    if data["growth"]:
        parts += ["## Growth", "", "![Answers a second as clients or files grow in number](growth.svg)", "",
                  *_elsewhere(data["growth"])]
    if LIMITS.exists():
        parts += [LIMITS.read_text(encoding="utf-8")]
    parts += [
        "## To repeat it",
        "",
        "    make bench          # all of it; on Debian it installs what is missing",
        "    make bench-quick    # less than two minutes",
        "    make bench-report   # writes this page from the figures of the last run",
        "",
        "[bench/README.md](../bench/README.md) says what is measured, how, and why so.",
    ]
    return "\n".join(parts) + "\n"


def _elsewhere(works: list[dict[str, Any]]) -> list[str]:
    """Which of some works were measured in another run than the page's own, and in which."""
    runs: dict[str, list[str]] = {}
    for about in works:
        if about.get("other"):
            runs.setdefault(about["run"], []).append(about["name"])
    return [line for run, names in runs.items() for line in (f"From another run ({run}): {', '.join(names)}.", "")]


def _table(head: list[str], rows: list[list[str]], text_columns: int) -> list[str]:
    marks = ["---"] * text_columns + ["--:"] * (len(head) - text_columns)
    return ["| " + " | ".join(cells) + " |" for cells in [head, marks, *rows]] + [""]


def _targets(data: dict[str, Any]) -> list[str]:
    rows = []
    for about in data["rows"] + data["figures"]:
        for check in about["checks"]:
            compared = f" ({check['peer']})" if check.get("peer") else ""
            rows.append([about["title"], check["target"] + compared, shown(check["value"]),
                         MARK[report.verdict(check, about["failures"])]])
    return ["## What it has set itself", "", *_table(["work", "target", "reached", ""], rows, 2)]


def _rows(data: dict[str, Any]) -> list[str]:
    columns = [name for name in report.COLUMNS if name == "floor" or name in data["versions"]]
    parts = ["## Answers a second", "",
             "The floor is what a bare loop can do: for programs posix_spawn, read and waitpid; for files epoll, recv "
             "and send, understanding nothing.", ""]
    rows = []
    for row in data["rows"]:
        rates = {name: about["rate"] for name, about in row["servers"].items()} | {"floor": row["floor"]}
        rows.append([row["title"], *(shown(rates.get(name)) for name in columns)])
    parts += _table(["", *columns], rows, 1)
    parts += _elsewhere(data["rows"])
    for metric, title, note in (
        ("p99", "Milliseconds within which 99 of 100 answers came", ""),
        ("cpu", "Processor time of an answer, µs",
         "User and system, of the server's processes and the programs that they waited for. A server that does not "
         "wait for its programs has no figure where it runs some; the FastCGI application is not counted."),
        ("pss", "Memory under load, KiB (Pss)", ""),
    ):
        rows = [[row["title"], *(shown((row["servers"].get(name) or {}).get(metric)) for name in columns[:-1])]
                for row in data["rows"]]
        parts += [f"## {title}", "", *([note, ""] if note else []), *_table(["", *columns[:-1]], rows, 1)]
    return parts


def _figures(data: dict[str, Any]) -> list[str]:
    columns = [name for name in report.COLUMNS[:-1] if name in data["versions"]]
    rows = [[about["title"], about["unit"], *(shown(about["servers"].get(name)) for name in columns)]
            for about in data["figures"]]
    return ["## Memory, isolation, starting, size, system calls", "", *_table(["", "unit", *columns], rows, 2),
            *_elsewhere(data["figures"])]


def main(names: list[str]) -> int:
    """Reads the files that are named, or else the newest."""
    paths = [Path(name) for name in names] or sorted((HERE / "results").glob("*.json"))[-1:]
    if not paths:
        print("bench: there are no figures yet: make bench", file=sys.stderr)
        return 1
    write(report.merge([json.loads(path.read_text(encoding="utf-8")) for path in paths]))
    print(f"written from {', '.join(str(path) for path in paths)}: docs/performance.md and its pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Compares tollgate with its peers: python3 -m bench [--quick] [--rows a,b] [--servers x,y] ...

`make bench` and `make bench-quick` build the server first. README.md in this folder has the rest.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench import document, measure, report
from bench.figures import FIGURES, run_figures
from bench.growth import run_curves
from bench.process import prepare, stop_all
from bench.rows import ALL, ROWS
from bench.servers import PACKAGED, program
from bench.site import HERE, Site

WORKS = [*(row.name for row in ROWS), *(figure.name for figure in FIGURES), "growth"]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m bench", description="Compares tollgate with its peers.")
    parser.add_argument("--quick", action="store_true", help="less than two minutes: 3 short rounds")
    parser.add_argument("--rows", metavar="A,B", help="only these: " + ", ".join(WORKS))
    parser.add_argument("--servers", metavar="X,Y", help="only these: tollgate, " + ", ".join(ALL))
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds (default 5; 3 with --quick)")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of a turn (default 3; 0.4 with --quick)")
    parser.add_argument("--tollgate", type=Path, metavar="PATH", default=HERE.parent / "target/release/tollgate",
                        help="the server (default target/release/tollgate)")
    parser.add_argument("--no-default-binary", type=Path, metavar="PATH",
                        help="a server without default features, to know its size")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md and its pictures as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go (default bench/results/)")
    return parser.parse_args()


def chosen(given: str | None, known: list[str], what: str) -> list[str]:
    """The names of a list that was given, or all that are known."""
    if given is None:
        return known
    names = given.split(",")
    for name in names:
        if name not in known:
            raise SystemExit(f"bench: there is no {what} {name!r}; there are: {', '.join(known)}")
    return [name for name in known if name in names]


def main() -> int:
    """Runs what was asked for; 1 where something failed."""
    args = arguments()
    works = chosen(args.rows, WORKS, "row")
    servers = chosen(args.servers, ["tollgate", *ALL], "server")
    missing = [tool for tool in ("wrk", *(PACKAGED[name] for name in servers if name in PACKAGED))
               if program(tool) is None]
    if missing:
        raise SystemExit(f"bench: missing: {', '.join(missing)}; bench/install installs them on Debian")
    if not args.tollgate.is_file():
        raise SystemExit(f"bench: there is no {args.tollgate}: build it (make build) or name another with --tollgate")
    options = measure.Options(
        tollgate=args.tollgate.resolve(),
        servers=tuple(servers),
        rounds=args.rounds or (3 if args.quick else 5),
        seconds=args.seconds or (0.4 if args.quick else 3.0),
        quick=args.quick,
        no_default_binary=args.no_default_binary,
    )
    prepare()
    begin = time.monotonic()
    site = Site()
    try:
        site.build()
        results = measure.run_rows([row for row in ROWS if row.name in works], site, options)
        figures = run_figures([figure for figure in FIGURES if figure.name in works], site, options)
        growth = run_curves(site, options) if "growth" in works else []
        data = report.collect(results, figures, growth, options)
    finally:
        stop_all()
        site.remove()
    path = args.json or HERE / "results" / time.strftime("%Y%m%d-%H%M%S.json", time.gmtime())
    report.write_json(data, path)
    report.print_table(data)
    if args.docs:
        document.write(data)
    print(f"\n{time.monotonic() - begin:.0f} s; all figures are in {path}")
    return 1 if any(about["failures"] for about in data["rows"] + data["figures"] + data["growth"]) else 0


if __name__ == "__main__":
    sys.exit(main())

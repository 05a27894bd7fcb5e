"""Draws the two pictures of docs/performance.md as SVG: bars for each row, and the curves.

Colours and text follow the reader's scheme, light or dark; nothing has a background of its own.
"""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

from bench.measure import median
from bench.report import shown

WIDTH = 880
LEFT = 232
"""Where bars begin; titles stand to the left of it."""
BAR = 10
MOST = 1.8
"""Bars end here, so that one row far ahead does not make all others small."""
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px } .faint { fill: #656d76 } .strong { font-weight: 600 }
.rule { stroke: #656d76; stroke-width: 1; stroke-dasharray: 3 3 } .axis { stroke: #8c959f; stroke-width: 1 }
.line { fill: none; stroke-width: 1.6 } .tollgate.line { stroke-width: 3 }
.tollgate { fill: #0969da; stroke: #0969da } .lighttpd { fill: #8c6d1f; stroke: #8c6d1f }
.nginx { fill: #2da44e; stroke: #2da44e } .apache { fill: #cf6a4f; stroke: #cf6a4f }
.busybox { fill: #8e7cc3; stroke: #8e7cc3 } .bar { stroke: none } .line { fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .faint { fill: #9198a1 } .rule { stroke: #9198a1 } .axis { stroke: #6e7681 }
.tollgate { fill: #58a6ff; stroke: #58a6ff } .lighttpd { fill: #d4b25a; stroke: #d4b25a }
.bar { stroke: none } .line { fill: none }
}
</style>"""


def _text(x: float, y: float, content: str, classes: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}" text-anchor="{anchor}">{escape(content)}</text>'


def _picture(height: float, title: str, parts: list[str]) -> str:
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
            f'height="{height:.0f}" role="img" aria-label="{escape(title)}">')
    return "\n".join([head, STYLE, *parts, "</svg>"]) + "\n"


def _legend(names: list[str], x: float, y: float) -> list[str]:
    parts = []
    for name in names:
        parts.append(f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="11" height="11" class="bar {name}"/>')
        parts.append(_text(x + 16, y, name, "strong" if name == "tollgate" else ""))
        x += 34 + 7 * len(name)
    return parts


def bars(data: dict[str, Any]) -> str:
    """Rates of all rows, as multiples of the best peer's: formed in each round, and their median."""
    rows = [(row, ratios) for row in data["rows"] if (ratios := _ratios(row))]
    names = _names(ratios for _, ratios in rows)
    longest = max((ratio for _, ratios in rows for ratio in ratios.values()), default=1.0)
    unit = (WIDTH - LEFT - 150) / min(max(longest, 1.2), MOST)
    parts = [*_legend(names, LEFT, 16), _text(LEFT + unit, 38, "best peer of each round", "small faint", "middle")]
    y = 48.0
    for row, ratios in rows:
        top = y
        for name in names:
            if name in ratios:
                length = min(ratios[name], MOST) * unit
                parts.append(f'<rect x="{LEFT}" y="{y:.1f}" width="{length:.1f}" height="{BAR - 1}" '
                             f'class="bar {name}"/>')
                if name == "tollgate":
                    more = "» " if ratios[name] > MOST else ""
                    label = f"{more}{shown(row['servers'][name]['rate'])}/s, × {ratios[name]:.2f}"
                    parts.append(_text(LEFT + length + 5, y + BAR - 1.5, label, "small strong"))
                y += BAR + 1
        middle = (top + y) / 2
        parts.append(_text(LEFT - 10, middle - 2, row["title"], "small strong", "end"))
        parts.append(_text(LEFT - 10, middle + 12, f"{row['clients']} clients", "small faint", "end"))
        y += 14
    x = LEFT + unit
    parts.insert(0, f'<line x1="{x:.1f}" y1="42" x2="{x:.1f}" y2="{y - 10:.1f}" class="rule"/>')
    return _picture(y - 6, "Answers a second, against the best peer of each row", parts)


def _ratios(row: dict[str, Any]) -> dict[str, float]:
    """For each server its rate by that of the best peer of the round, the median of the rounds."""
    rates = {name: metrics["rate"] for name, metrics in row["rounds"].items()}
    peers = [values for name, values in rates.items() if name != "tollgate"]
    best = [max((value for value in values if value), default=None) for values in zip(*peers, strict=True)]
    found = {name: median(own / top if own and top else None for own, top in zip(values, best, strict=False))
             for name, values in rates.items()}
    return {name: ratio for name, ratio in found.items() if ratio is not None}


def _names(groups: Any) -> list[str]:
    order = ["tollgate", "lighttpd", "nginx", "apache", "busybox"]
    used = {name for group in groups for name in group}
    return [name for name in order if name in used]


def lines(data: dict[str, Any]) -> str:
    """The curves, one beside the other."""
    curves = data["growth"]
    names = _names(curve["servers"] for curve in curves)
    parts = _legend(names, 50, 16)
    wide = WIDTH / max(len(curves), 1)
    for number, curve in enumerate(curves):
        parts += _curve(curve, number * wide + 50, 56, wide - 84, 200)
    return _picture(310, "Answers a second as clients or files grow in number", parts)


def _curve(curve: dict[str, Any], left: float, top: float, width: float, height: float) -> list[str]:
    most = max((value for values in curve["servers"].values() for value in values if value), default=1.0)
    first, last = math.log2(curve["x"][0]), math.log2(curve["x"][-1])

    def at_x(value: float) -> float:
        return left + (math.log2(value) - first) / ((last - first) or 1) * width

    def at_y(value: float) -> float:
        return top + height - value / most * height

    parts = [
        _text(left, top - 14, curve["title"], "small strong"),
        f'<path d="M{left:.1f} {top} V{top + height} H{left + width:.1f}" class="axis" fill="none"/>',
        _text(left - 5, at_y(0) + 4, "0", "small faint", "end"),
        _text(left - 5, at_y(most) + 6, _short(most), "small faint", "end"),
        _text(left + width / 2, top + height + 34, curve["what"], "small faint", "middle"),
    ]
    for x in curve["x"][:: 1 if len(curve["x"]) < 6 else 2]:
        parts.append(_text(at_x(x), top + height + 16, f"{x:,}", "small faint", "middle"))
    # tollgate last, so that it lies on top.
    for name, values in sorted(curve["servers"].items(), key=lambda item: item[0] == "tollgate"):
        points = [f"{at_x(x):.1f} {at_y(value):.1f}" for x, value in zip(curve["x"], values, strict=True) if value]
        if points:
            parts.append(f'<path d="M{" L".join(points)}" class="{name} line"/>')
    return parts


def _short(value: float) -> str:
    return f"{value / 1000:,.0f} k" if value >= 10_000 else f"{value:,.0f}"

"""Charts as SVG with the page's colours: lines, areas, tables of counts, bars and points.

matplotlib is not used, because its SVGs are larger and have one colour scheme.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from modelspec.report.pages.chart_frame import BOTTOM, HEIGHT, TOP, Axes, figure, frame, make_axes
from modelspec.report.pictures.labels import shortened


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart; None leaves a gap. ``style`` is a class of the page's style sheet."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    style: str


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str = "epoch",
    mark: float | None = None,
    unit: bool = False,
    diagonal: bool = False,
) -> str:
    """Draw lines; ``mark`` is a position on the x axis; ``unit`` sets axes from 0 to 1."""
    values = [v for line in series for v in line.y if v is not None and math.isfinite(v)]
    places = [float(x) for line in series for x in line.x]
    if not values:
        return figure(title, "nothing finite to draw", '<text x="60" y="100">nothing finite</text>')
    axes = Axes(0, 1, 0, 1) if unit else make_axes(places, values, steep=title.endswith("loss"))
    parts = [*frame(axes, x_label)]
    if diagonal:
        parts.append(_diagonal(axes))
    if mark is not None:
        x = axes.x(mark)
        parts.append(
            f'<line class="guide" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>'
        )
    for line in series:
        parts += _line(line, axes)
    ends = "; ".join(_ends(line) for line in series)
    return figure(title, ends, "".join(parts))


def _diagonal(axes: Axes) -> str:
    start, end = (
        (axes.x(axes.low_x), axes.y(axes.low_y)),
        (axes.x(axes.high_x), axes.y(axes.high_y)),
    )
    return (
        f'<line class="guide" x1="{start[0]:.1f}" y1="{start[1]:.1f}" '
        f'x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'
    )


def _line(line: Series, axes: Axes) -> Iterator[str]:
    pieces: list[list[str]] = [[]]
    for x, y in zip(line.x, line.y, strict=True):
        if y is None or not math.isfinite(y):
            pieces.append([])
        else:
            pieces[-1].append(f"{axes.x(x):.1f},{axes.y(y):.1f}")
    for piece in pieces:
        if len(piece) == 1:
            left, top = piece[0].split(",")
            yield f'<circle class="{line.style}" cx="{left}" cy="{top}" r="2.5"/>'
        elif piece:
            yield f'<polyline class="{line.style}" points="{" ".join(piece)}"/>'


def _ends(line: Series) -> str:
    known = [v for v in line.y if v is not None and math.isfinite(v)]
    return (
        f"{line.name} from {known[0]:.4g} to {known[-1]:.4g}" if known else f"{line.name}: nothing"
    )


def area_chart(title: str, series: Sequence[Series]) -> str:
    """Draw shares on top of each other, which add up to 1."""
    places = list(series[0].x)
    axes = Axes(min(places), max(places), 0, 1)
    if len(places) == 1:
        axes = Axes(places[0] - 0.5, places[0] + 0.5, 0, 1)
        places = [places[0] - 0.5, places[0] + 0.5]
    base, parts = [0.0] * len(places), [*frame(axes, "epoch")]
    for line in series:
        values = list(line.y) * (len(places) if len(line.y) == 1 else 1)
        top = [low + (value or 0.0) for low, value in zip(base, values, strict=True)]
        over = [
            f"{axes.x(x):.1f},{axes.y(min(y, 1)):.1f}" for x, y in zip(places, top, strict=True)
        ]
        under = [
            f"{axes.x(x):.1f},{axes.y(min(y, 1)):.1f}" for x, y in zip(places, base, strict=True)
        ]
        parts.append(
            f'<polygon class="{line.style} area" points="{" ".join(over + under[::-1])}"/>'
        )
        base = top
    return figure(title, "; ".join(_ends(line) for line in series), "".join(parts))


def scatter_chart(title: str, true: Sequence[float], predicted: Sequence[float]) -> str:
    """Draw predicted against true values; on the diagonal they are equal."""
    pairs = [(float(t), float(p)) for t, p in zip(true, predicted, strict=True)]
    values = [value for pair in pairs for value in pair]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    axes = Axes(low, high, low, high)
    parts = [*frame(axes, "true")]
    parts.append(_diagonal(axes))
    dots = "".join(f"M{axes.x(t):.1f} {axes.y(p):.1f}h0" for t, p in pairs)
    parts.append(f'<path class="dots" d="{dots}"/>')
    return figure(title, f"{len(pairs)} points of predicted against true", "".join(parts))


def histogram(title: str, edges: Sequence[float], counts: Sequence[int], x_label: str) -> str:
    """Draw bars of counts between edges."""
    axes = Axes(float(edges[0]), float(edges[-1]), 0, max([*map(int, counts), 1]))
    parts = [*frame(axes, x_label)]
    floor = axes.y(0)
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        x, y = axes.x(float(left)), axes.y(int(count))
        width = max(axes.x(float(right)) - x - 0.5, 0.5)
        parts.append(
            f'<rect class="s0 area" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{floor - y:.1f}"/>'
        )
    return figure(title, f"{int(sum(counts))} values", "".join(parts))


def bars(title: str, rows: Sequence[tuple[str, float, str]]) -> str:
    """Draw a bar for each row of name, value and the text beside it."""
    largest = max((abs(value) for _, value, _ in rows), default=0.0) or 1.0
    height = 22
    parts = []
    for place, (name, value, text) in enumerate(rows):
        y = TOP + place * height
        width = max(abs(value) / largest * 110, 0.5)
        style = "s0 area" if value >= 0 else "s1 area"
        parts.append(
            f'<text x="122" y="{y + 13}" text-anchor="end">{escape(shortened(name, 20))}</text>'
            f'<rect class="{style}" x="128" y="{y + 3}" width="{width:.1f}" height="13"/>'
            f'<text x="{134 + width:.1f}" y="{y + 13}">{escape(text)}</text>'
        )
    return figure(title, f"{len(rows)} bars", "".join(parts), TOP + len(rows) * height + 6)


def confusion_chart(title: str, names: Sequence[str], table: Sequence[Sequence[int]]) -> str:
    """Draw a table of counts; cells with a larger share of their row are darker."""
    side = max(22, min(40, 560 // max(len(names), 1)))
    left, top = 70, 60
    parts = [
        f'<text x="{left}" y="34" class="axis">predicted</text>',
        f'<text x="6" y="{top - 6}" class="axis">true</text>',
    ]
    for place, name in enumerate(names):
        at = place * side + side / 2
        short = escape(shortened(name, 6))
        parts.append(f'<text x="{left + at}" y="{top - 6}" text-anchor="middle">{short}</text>')
        parts.append(f'<text x="{left - 6}" y="{top + at + 4}" text-anchor="end">{short}</text>')
    for row, counts in enumerate(table):
        whole = max(sum(map(int, counts)), 1)
        for column, count in enumerate(map(int, counts)):
            shade = math.ceil(count / whole * 4) if count else 0
            x, y = left + column * side, top + row * side
            parts.append(
                f'<g class="shade{shade}"><rect x="{x}" y="{y}" width="{side - 1}" '
                f'height="{side - 1}"/><text x="{x + side / 2 - 0.5}" y="{y + side / 2 + 4}" '
                f'text-anchor="middle">{count or ""}</text></g>'
            )
    width, height = left + side * len(names) + 8, top + side * len(names) + 8
    return figure(title, "counts of true and predicted classes", "".join(parts), height, width)

"""Charts as SVG with the page's colours: lines, areas, tables of counts, bars and points.

matplotlib is not used, because its SVGs are larger and have one colour scheme.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from modelspec.report.pictures.labels import shortened

_WIDTH, _HEIGHT = 320, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 12, 26, 30
_TICKS = 4
_STEEP = 50
_LABEL = 34
_WIDEST = 7


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart; None leaves a gap. ``style`` is a class of the page's style sheet."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    style: str


@dataclass(frozen=True, slots=True)
class _Axes:
    """The places of values in the picture."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float
    log: bool = False

    def x(self, value: float) -> float:
        span = self.high_x - self.low_x or 1.0
        return _LEFT + (value - self.low_x) / span * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high, at = self.low_y, self.high_y, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(at, low))
        span = high - low or 1.0
        return _HEIGHT - _BOTTOM - (at - low) / span * (_HEIGHT - _TOP - _BOTTOM)


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
        return _figure(
            title, "nothing finite to draw", '<text x="60" y="100">nothing finite</text>'
        )
    axes = _Axes(0, 1, 0, 1) if unit else _axes(places, values, steep=title.endswith("loss"))
    parts = [*_frame(axes, x_label)]
    if diagonal:
        parts.append(_diagonal(axes))
    if mark is not None:
        x = axes.x(mark)
        parts.append(
            f'<line class="guide" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}"/>'
        )
    for line in series:
        parts += _line(line, axes)
    ends = "; ".join(_ends(line) for line in series)
    return _figure(title, ends, "".join(parts))


def _diagonal(axes: _Axes) -> str:
    start, end = (
        (axes.x(axes.low_x), axes.y(axes.low_y)),
        (axes.x(axes.high_x), axes.y(axes.high_y)),
    )
    return (
        f'<line class="guide" x1="{start[0]:.1f}" y1="{start[1]:.1f}" '
        f'x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'
    )


def _axes(places: Sequence[float], values: Sequence[float], *, steep: bool) -> _Axes:
    low, high = min(values), max(values)
    log = steep and low > 0 and high > _STEEP * low
    margin = 0.0 if log else (high - low or abs(high) or 1.0) * 0.05
    # Losses and accuracies are not below 0, and neither are their axes.
    floor = max(low - margin, 0.0) if low >= 0 else low - margin
    return _Axes(min(places), max(places), low if log else floor, high + margin, log)


def _line(line: Series, axes: _Axes) -> Iterator[str]:
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
    axes = _Axes(min(places), max(places), 0, 1)
    if len(places) == 1:
        axes = _Axes(places[0] - 0.5, places[0] + 0.5, 0, 1)
        places = [places[0] - 0.5, places[0] + 0.5]
    base, parts = [0.0] * len(places), [*_frame(axes, "epoch")]
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
    return _figure(title, "; ".join(_ends(line) for line in series), "".join(parts))


def scatter_chart(title: str, true: Sequence[float], predicted: Sequence[float]) -> str:
    """Draw predicted against true values; on the diagonal they are equal."""
    pairs = [(float(t), float(p)) for t, p in zip(true, predicted, strict=True)]
    values = [value for pair in pairs for value in pair]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    axes = _Axes(low, high, low, high)
    parts = [*_frame(axes, "true")]
    parts.append(_diagonal(axes))
    dots = "".join(f"M{axes.x(t):.1f} {axes.y(p):.1f}h0" for t, p in pairs)
    parts.append(f'<path class="dots" d="{dots}"/>')
    return _figure(title, f"{len(pairs)} points of predicted against true", "".join(parts))


def histogram(title: str, edges: Sequence[float], counts: Sequence[int], x_label: str) -> str:
    """Draw bars of counts between edges."""
    axes = _Axes(float(edges[0]), float(edges[-1]), 0, max([*map(int, counts), 1]))
    parts = [*_frame(axes, x_label)]
    floor = axes.y(0)
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        x, y = axes.x(float(left)), axes.y(int(count))
        width = max(axes.x(float(right)) - x - 0.5, 0.5)
        parts.append(
            f'<rect class="s0 area" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{floor - y:.1f}"/>'
        )
    return _figure(title, f"{int(sum(counts))} values", "".join(parts))


def bars(title: str, rows: Sequence[tuple[str, float, str]]) -> str:
    """Draw a bar for each row of name, value and the text beside it."""
    largest = max((abs(value) for _, value, _ in rows), default=0.0) or 1.0
    height = 22
    parts = []
    for place, (name, value, text) in enumerate(rows):
        y = _TOP + place * height
        width = max(abs(value) / largest * 110, 0.5)
        style = "s0 area" if value >= 0 else "s1 area"
        parts.append(
            f'<text x="122" y="{y + 13}" text-anchor="end">{escape(shortened(name, 20))}</text>'
            f'<rect class="{style}" x="128" y="{y + 3}" width="{width:.1f}" height="13"/>'
            f'<text x="{134 + width:.1f}" y="{y + 13}">{escape(text)}</text>'
        )
    return _figure(title, f"{len(rows)} bars", "".join(parts), _TOP + len(rows) * height + 6)


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
    return _figure(title, "counts of true and predicted classes", "".join(parts), height, width)


def _frame(axes: _Axes, x_label: str) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    for step in range(_TICKS + 1):
        share = step / _TICKS
        y = _TOP + (bottom - _TOP) * (1 - share)
        value = axes.low_y + (axes.high_y - axes.low_y) * share
        if axes.log:
            low, high = math.log10(axes.low_y), math.log10(axes.high_y)
            value = 10 ** (low + (high - low) * share)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{_tick(value)}</text>'
    for share in (0.0, 0.5, 1.0):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * share
        value = axes.low_x + (axes.high_x - axes.low_x) * share
        anchor = {0.0: "start", 0.5: "middle", 1.0: "end"}[share]
        between_epochs = x_label == "epoch" and value != int(value)
        if share and (axes.high_x == axes.low_x or between_epochs):
            continue
        yield f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="{anchor}">{_tick(value)}</text>'
    middle, label = (_LEFT + _WIDTH) / 2, escape(x_label)
    yield (f'<text class="axis" x="{middle}" y="{_HEIGHT - 3}" text-anchor="middle">{label}</text>')


def _tick(value: float) -> str:
    """Format three digits; ``2.5e4`` in place of ``2.5e+04``."""
    digits, _, exponent = f"{value:.3g}".partition("e")
    if len(digits) > _WIDEST:
        digits, _, exponent = f"{value:.2e}".partition("e")
    if exponent:
        return f"{digits}e{int(exponent)}"
    return "0" if digits == "-0" else digits


def _figure(
    title: str, desc: str, body: str, height: float = _HEIGHT, width: float = _WIDTH
) -> str:
    plain = shortened(title, 60)
    return (
        f'<svg class="chart" role="img" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" aria-label={quoteattr(f"{plain}: {desc}")}>'
        f'<text class="title" x="6" y="15">{escape(shortened(title, _LABEL))}</text>{body}</svg>'
    )

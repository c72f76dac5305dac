"""The frame of a chart: axes, ticks, and the SVG around it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from modelspec.report.pictures.labels import shortened

WIDTH, HEIGHT = 320, 200
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 26, 30
_TICKS = 4
_STEEP = 50
_LABEL = 34
_WIDEST = 7


@dataclass(frozen=True, slots=True)
class Axes:
    """The places of values in the picture."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float
    log: bool = False

    def x(self, value: float) -> float:
        span = self.high_x - self.low_x or 1.0
        return LEFT + (value - self.low_x) / span * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high, at = self.low_y, self.high_y, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(at, low))
        span = high - low or 1.0
        return HEIGHT - BOTTOM - (at - low) / span * (HEIGHT - TOP - BOTTOM)


def make_axes(places: Sequence[float], values: Sequence[float], *, steep: bool) -> Axes:
    low, high = min(values), max(values)
    log = steep and low > 0 and high > _STEEP * low
    margin = 0.0 if log else (high - low or abs(high) or 1.0) * 0.05
    # Losses and accuracies are not below 0, and neither are their axes.
    floor = max(low - margin, 0.0) if low >= 0 else low - margin
    return Axes(min(places), max(places), low if log else floor, high + margin, log)


def frame(axes: Axes, x_label: str) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    for step in range(_TICKS + 1):
        share = step / _TICKS
        y = TOP + (bottom - TOP) * (1 - share)
        value = axes.low_y + (axes.high_y - axes.low_y) * share
        if axes.log:
            low, high = math.log10(axes.low_y), math.log10(axes.high_y)
            value = 10 ** (low + (high - low) * share)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{tick(value)}</text>'
    for share in (0.0, 0.5, 1.0):
        x = LEFT + (WIDTH - LEFT - RIGHT) * share
        value = axes.low_x + (axes.high_x - axes.low_x) * share
        anchor = {0.0: "start", 0.5: "middle", 1.0: "end"}[share]
        between_epochs = x_label == "epoch" and value != int(value)
        if share and (axes.high_x == axes.low_x or between_epochs):
            continue
        yield f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="{anchor}">{tick(value)}</text>'
    middle, label = (LEFT + WIDTH) / 2, escape(x_label)
    yield (f'<text class="axis" x="{middle}" y="{HEIGHT - 3}" text-anchor="middle">{label}</text>')


def tick(value: float) -> str:
    """Format three digits; ``2.5e4`` in place of ``2.5e+04``."""
    digits, _, exponent = f"{value:.3g}".partition("e")
    if len(digits) > _WIDEST:
        digits, _, exponent = f"{value:.2e}".partition("e")
    if exponent:
        return f"{digits}e{int(exponent)}"
    return "0" if digits == "-0" else digits


def figure(title: str, desc: str, body: str, height: float = HEIGHT, width: float = WIDTH) -> str:
    plain = shortened(title, 60)
    return (
        f'<svg class="chart" role="img" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" aria-label={quoteattr(f"{plain}: {desc}")}>'
        f'<text class="title" x="6" y="15">{escape(shortened(title, _LABEL))}</text>{body}</svg>'
    )

"""Learning curves as ``curves.png``, if matplotlib is installed.

Each output has a row of panels, and the whole model the first row: loss, shares of the loss,
metrics. The colours are those of Okabe and Ito, which colour-blind readers can distinguish.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from modelspec.runs.history import VALIDATION, Best, Group, Record, best, columns, groups
from modelspec.storage.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_TRAINING, _VALIDATION, _GREY = "#0072B2", "#D55E00", "#666666"
_SHARES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
_PANELS_PER_ROW = 4
# Inches: a panel, and the room for its numbers and title.
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 3.0, 1.7, 0.75, 0.45, 0.45, 0.15
_DPI = 120
# Of a model with more outputs the first ones are drawn.
_MAX_ROWS = 40
# A loss that falls to a fiftieth is drawn on a logarithmic scale.
_STEEP = 50
_FEW_EPOCHS = 30


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: the names of the records' values in it, by their labels."""

    title: str
    lines: Mapping[str, str]
    are_shares: bool = False


def can_draw() -> bool:
    return find_spec("matplotlib") is not None


def import_early() -> None:
    """Import matplotlib in a thread, while TensorFlow computes without Python's lock."""
    if can_draw():
        Thread(target=_import, daemon=True).start()


def _import() -> None:
    with suppress(Exception):  # draw_curves will meet it, and say so
        _hush()
        import matplotlib.backends.backend_agg
        import matplotlib.figure  # noqa: F401


def _hush() -> None:
    """Keep matplotlib from reporting fonts and cache folders, which do not matter for training."""
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)


def draw_curves(history: Sequence[Record], path: Path) -> None:
    """Write the curves of a run with at least one epoch as a PNG, completely or not at all.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    _hush()
    import matplotlib as mpl

    # The user's own style may require LaTeX, or have a dark background.
    with mpl.rc_context():
        mpl.rcdefaults()
        figure = _figure(history)
        with replacing(path, follow=False) as aside:
            figure.savefig(aside, format="png", pil_kwargs={"compress_level": 3})


def _figure(history: Sequence[Record]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, best_epoch = panels(groups(columns(history)))[:_MAX_ROWS], best(history)
    width, height = _LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BOTTOM
    across, down = max(map(len, rows)) * width, len(rows) * height
    figure = Figure(figsize=(across, down), dpi=_DPI)
    FigureCanvasAgg(figure)
    for row, contents in enumerate(rows):
        bottom = (len(rows) - 1 - row) * height + _BOTTOM
        for column, panel in enumerate(contents):
            left = column * width + _LEFT
            box = (left / across, bottom / down, _WIDTH / across, _HEIGHT / down)
            _draw(figure.add_axes(box), panel, history, best_epoch)
    return figure


def panels(all_groups: Sequence[Group]) -> list[list[Panel]]:
    """Return panels by row: those of an output follow each other, and the next one begins a row."""
    heads = [group for group in all_groups if group.output and "share" in group.names]
    shares = {group.output: group.names["share"] for group in heads}
    rows = []
    for group in all_groups:
        listed = list(_panels(group))
        if not group.output and shares:
            listed.insert(1, Panel("shares of the loss", shares, are_shares=True))
        rows += [
            listed[start : start + _PANELS_PER_ROW]
            for start in range(0, len(listed), _PANELS_PER_ROW)
        ]
    return rows


def _panels(group: Group) -> Iterator[Panel]:
    for label, name in group.names.items():
        if label.startswith(VALIDATION) or label == "share":
            continue
        lines = {"training": name}
        if f"{VALIDATION}{label}" in group.names:
            lines["validation"] = group.names[f"{VALIDATION}{label}"]
        yield Panel(f"{group.output} {label}".strip(), lines)


def _draw(axes: "Axes", panel: Panel, history: Sequence[Record], best_epoch: Best | None) -> None:
    epochs = [record["epoch"] for record in history]
    draw = _draw_shares if panel.are_shares else _draw_lines
    named = draw(axes, panel, epochs, history)
    if best_epoch is not None:
        line = axes.axvline(best_epoch.epoch, color=_GREY, lw=0.8, ls=":", zorder=0.5)
        named |= {} if panel.are_shares else {f"best: epoch {best_epoch.epoch}": line}
    # Colours are explained once: the model's loss comes first, and has every kind of line.
    if panel.are_shares or "loss" in panel.lines.values():
        where: dict[str, Any] = {"loc": "upper right", "fontsize": 6.5}
        axes.legend([*named.values()], [*named], framealpha=0.7, edgecolor="none", **where)
    _frame(axes, panel.title, epochs)


def _draw_lines(
    axes: "Axes", panel: Panel, epochs: Sequence[int], history: Sequence[Record]
) -> dict[str, "Artist"]:
    drawn: list[float] = []
    named: dict[str, Artist] = {}
    for name, key in panel.lines.items():
        values = _values(history, key)
        drawn += [value for value in values if math.isfinite(value)]
        # Without colour the two still differ.
        colour, dashes = (_TRAINING, "-") if name == "training" else (_VALIDATION, (0, (4, 1.5)))
        marker = "o" if len(epochs) <= _FEW_EPOCHS else ""
        [named[name]] = axes.plot(
            epochs, values, color=colour, ls=dashes, lw=1.2, marker=marker, ms=2.5
        )
    if not drawn:
        axes.text(0.5, 0.5, "nothing finite", transform=axes.transAxes, ha="center", color=_GREY)
        axes.set_yticks([])
    elif panel.title.endswith("loss") and min(drawn) > 0 and max(drawn) > _STEEP * min(drawn):
        axes.set_yscale("log")
    return named


def _draw_shares(
    axes: "Axes", panel: Panel, epochs: Sequence[int], history: Sequence[Record]
) -> dict[str, "Artist"]:
    """Draw areas on top of each other, which fill the panel if no loss is negative."""
    named: dict[str, Artist] = {}
    # From edge to edge: even a single epoch is as wide as the panel.
    across = [min(epochs) - _margin(epochs), *epochs, max(epochs) + _margin(epochs)]
    base = [0.0] * len(across)
    for index, (name, key) in enumerate(panel.lines.items()):
        shares = _values(history, key)
        edged = [shares[0], *shares, shares[-1]]
        top = [low + share for low, share in zip(base, edged, strict=True)]
        colour = _SHARES[index % len(_SHARES)]
        named[name] = axes.fill_between(across, base, top, color=colour, lw=0, alpha=0.8)
        base = top
    axes.set_ylim(0, 1)
    return named


def _values(history: Sequence[Record], key: str) -> list[float]:
    """Return values by epoch; NaN leaves a gap."""
    values = (record.get(key) for record in history)
    return [float(value) if isinstance(value, int | float) else math.nan for value in values]


def _frame(axes: "Axes", title: str, epochs: Sequence[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    # If matplotlib places a text itself, it draws everything twice.
    axes.set_title(title, fontsize=9, loc="left", y=1.03, parse_math=False)
    axes.text(1, -0.2, "epoch", fontsize=7, ha="right", transform=axes.transAxes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_label_coords(0, 0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.minorticks_off()
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, linewidth=0.3, alpha=0.5)
    axes.set_xlim(min(epochs) - _margin(epochs), max(epochs) + _margin(epochs))


def _margin(epochs: Sequence[int]) -> float:
    return 0.5 if len(epochs) <= _FEW_EPOCHS else 0.0

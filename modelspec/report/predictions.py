"""A few predictions, beside their targets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from rich.console import Console

from modelspec.data.concatenated import Array, Column
from modelspec.report.table import print_table
from modelspec.report.visible import visible

_ROWS = 8
_VALUES = 3
_TOLERANCE = 1e-3
"""Tolerance for the sum of a softmax in float16."""


_YES_AND_NO = 2
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The names of the classes of outputs, in the order of their units.

    An output of one unit has the second class where its value is above its number in ``limits``, or
    above 0.5.
    """

    classes: Mapping[str, Sequence[str | int]] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)

    def of(self, output: str, rows: Array) -> Sequence[str]:
        """Return the names for the rows of an output; none if their number differs."""
        names = [visible(str(name)) for name in self.classes.get(output, ())]
        units = rows.shape[1] if rows.ndim == 2 else 0  # noqa: PLR2004 - samples and classes
        return names if units == len(names) or (units, len(names)) == (1, _YES_AND_NO) else ()


class FirstRows:
    """Keeps the first rows of the pieces that pass through."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}

    def of(self, pieces: Iterable[Mapping[str, Array]]) -> Iterator[Mapping[str, Array]]:
        """Yield the pieces unchanged."""
        for piece in pieces:
            for name, rows in piece.items():
                before = self.arrays.get(name, rows[:0])
                if len(before) < _ROWS:
                    self.arrays[name] = np.concatenate([before, rows[: _ROWS - len(before)]])
            yield piece


def print_predictions(
    console: Console,
    predictions: Mapping[str, Array],
    targets: Mapping[str, Column],
    of_classes: Mapping[str, bool] = MappingProxyType({}),
    names: ClassNames | None = None,
) -> None:
    """Print the first samples, one a line, with a prediction and its target in the same form.

    ``of_classes`` says by output whether a row is one class: then the likeliest is printed, with
    its share; for other outputs, the values decide. ``names`` has the names of classes, if they are
    known. Other rows are shortened to the first values.
    """
    names = names or ClassNames()
    header = ["sample"]
    columns: list[list[str]] = []
    samples = min(_ROWS, *(len(array) for array in predictions.values()))
    for name, array in predictions.items():
        first = array[:samples]
        truth = targets[name][:samples] if name in targets else None
        known = names.of(name, first)
        classes = bool(known) or of_classes.get(name, _look_like_classes(first, truth))
        header.append(name)
        limit = names.limits.get(name, _HALF)
        columns.append([_class(row, known, limit) if classes else _values(row) for row in first])
        if truth is not None:
            header.append(f"{name} (target)")
            one_hot = classes and first.shape[1:] != (1,) and truth.shape == first.shape
            ids = truth.argmax(-1) if one_hot else truth
            columns.append([_named(row, known) for row in ids])
    rows = [(str(row), *(column[row] for column in columns)) for row in range(samples)]
    print_table(console, header, rows, set(range(len(header))))


def _class(row: Array, known: Sequence[str], limit: float) -> str:
    """Return the likeliest class, with its share if the values are shares; of steps, each one's."""
    if row.size == 1 and len(known) == _YES_AND_NO:
        value = float(row.reshape(()))
        likelier = known[int(value > limit)]
        if limit != _HALF or not 0 <= value <= 1:  # logits or scores
            return f"{likelier} ({value:.4g})"
        return f"{likelier} ({max(value, 1 - value):.1%})"
    if row.ndim != 1 or row.size == 1:
        return _values(row.argmax(-1) if row.ndim > 1 else row)
    likeliest = known[int(row.argmax())] if known else str(int(row.argmax()))
    return f"{likeliest} ({row.max():.1%})" if _are_shares(row) else likeliest


def _named(row: Array, known: Sequence[str]) -> str:
    """Return a target: the name of its class if that is known, otherwise its values."""
    if known and np.size(row) == 1 and 0 <= (at := int(np.reshape(row, ()))) < len(known):
        return known[at]
    return _values(row)


def _values(row: Array) -> str:
    flat = np.asarray(row).reshape(-1)
    if flat.size == 1:
        return f"{flat[0]:.4g}"
    shown = ", ".join(f"{value:.3g}" for value in flat[:_VALUES])
    more = ", …" if flat.size > _VALUES else ""
    shape = f"{np.shape(row)} " if np.ndim(row) > 1 else ""
    return f"{shape}[{shown}{more}]"


def _look_like_classes(predictions: Array, truth: Array | None) -> bool:
    """Return True where rows are shares that add up to 1, and targets are ids or one-hot rows."""
    if predictions.ndim != 2 or predictions.shape[-1] < 2:  # noqa: PLR2004
        return False
    if not all(map(_are_shares, predictions)):
        return False
    if truth is None or truth.shape != predictions.shape:
        return True
    return bool((truth.max(-1) == 1).all() and (truth.sum(-1) == 1).all())


def _are_shares(row: Array) -> bool:
    return bool(row.min() >= 0) and abs(float(row.sum(dtype=np.float64)) - 1) < _TOLERANCE

"""A few predictions, beside the targets where the data has them."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from rich.console import Console

from modelspec.data.concatenated import Array, Column
from modelspec.report.table import print_table

_ROWS = 8


class FirstRows:
    """Keeps the first rows of what passes through."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}

    def of(self, pieces: Iterable[Mapping[str, Array]]) -> Iterator[Mapping[str, Array]]:
        """The pieces as they are."""
        for piece in pieces:
            for name, rows in piece.items():
                before = self.arrays.get(name, rows[:0])
                if len(before) < _ROWS:
                    self.arrays[name] = np.concatenate([before, rows[: _ROWS - len(before)]])
            yield piece


def print_predictions(
    console: Console, predictions: Mapping[str, Array], targets: Mapping[str, Column]
) -> None:
    """The first samples, one a line: for several classes the likeliest and its share."""
    header = ["sample"]
    columns: list[list[str]] = []
    samples = min(_ROWS, *(len(array) for array in predictions.values()))
    for name, array in predictions.items():
        header.append(name)
        columns.append([_cell(row) for row in array[:samples]])
        if name in targets:
            header.append(f"{name} (target)")
            columns.append([_target(row) for row in targets[name][:samples]])
    rows = [(str(row), *(column[row] for column in columns)) for row in range(samples)]
    print_table(console, header, rows, set(range(len(header))))


def _cell(value: Array) -> str:
    flat = np.atleast_1d(value)
    if flat.ndim == 1 and flat.size == 1:
        return f"{flat[0]:.4g}"
    if _is_distribution(flat):
        return f"{int(flat.argmax())} ({flat.max():.1%})"
    return f"{flat.shape}"


def _target(value: Array) -> str:
    flat = np.atleast_1d(value)
    if flat.size == 1:
        return f"{flat.reshape(-1)[0]:.4g}"
    return str(int(flat.argmax())) if flat.ndim == 1 else f"{flat.shape}"


def _is_distribution(values: Array) -> bool:
    return values.ndim == 1 and bool(values.min() >= 0) and abs(float(values.sum()) - 1) < 1e-3  # noqa: PLR2004 - what float16 leaves of a softmax

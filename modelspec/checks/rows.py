"""The first row of an array with a wrong value, for messages."""

from collections.abc import Callable

import numpy as np

from modelspec.data.arrays import row_blocks
from modelspec.data.concatenated import Array, Column, Concatenated

_BLOCK = 1 << 20


def row_name(array: Column, row: int) -> str:
    """Name a row by its number; of several files, by the file and its number there."""
    if not isinstance(array, Concatenated) or len(array.files) < 2:  # noqa: PLR2004 - one needs no name
        return f"row {row}"
    part = int(np.searchsorted(array.stops, row, side="right"))
    return f"row {row - int(array.starts[part])} of {array.files[part]}"


def find_row(array: Column, is_wrong: Callable[[Array], Array]) -> str | None:
    """Return the name of the first row with a wrong element; None where there is none.

    ``is_wrong`` takes rows and returns a boolean for each of their elements.
    """
    start = 0
    for rows in row_blocks(array, _BLOCK):
        wrong = is_wrong(rows).reshape(len(rows), -1).any(axis=1)
        if wrong.any():
            return row_name(array, start + int(wrong.argmax()))
        start += len(rows)
    return None


def first_row(array: Column, is_wrong: Callable[[Array], Array]) -> str:
    """As ``find_row``, where a row must exist; the array is read again, because errors are rare."""
    name = find_row(array, is_wrong)
    if name is None:
        raise AssertionError(array)
    return name


def first_outside(array: Column, low: float, high: float) -> str:
    """Return the name of the first row with an element below ``low`` or above ``high``."""
    return first_row(array, lambda rows: (rows < low) | (rows > high))

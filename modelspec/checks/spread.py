"""The mean, deviation and extremes of an array's columns, and numbers of them for hints."""

import math
import re
from dataclasses import dataclass

import numpy as np

from modelspec.data.concatenated import Array, Column

MOST_COLUMNS = 12
"""The most columns whose numbers a hint lists."""

_ROWS = 4096
_NINES = re.compile(r"-?99+")
_FAR = 5
"""The standard deviations between a value that marks missing values and the others."""
_MOST_PLACES = 4


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean, standard deviation and extreme values of each column of some rows.

    ``marker`` is a value that probably marks missing values: -999 in several rows, far from the
    others.
    """

    mean: Array
    deviation: Array
    low: float
    high: float
    marker: float | None = None


def spread_of(array: Column) -> Spread | None:
    """Return the spread of some thousand rows; None without real numbers."""
    if not len(array) or array.dtype.kind not in "biuf":
        return None
    rows = array[np.linspace(0, len(array) - 1, min(_ROWS, len(array))).astype(np.int64)]
    values = rows.astype(np.float64)
    columns = values if values.ndim == 2 else values.reshape(-1, 1)  # noqa: PLR2004
    if not columns.size:
        return None
    if np.isnan(columns).any():  # the graph replaces missing values
        columns = columns[:, ~np.isnan(columns).all(axis=0)]
        if not columns.size:
            return None
    low, high = float(np.nanmin(columns)), float(np.nanmax(columns))
    means, deviations = np.nanmean(columns, 0), np.nanstd(columns, 0)
    return Spread(means, deviations, low, high, _marker(columns, low, high))


def _marker(columns: Array, low: float, high: float) -> float | None:
    """Return the lowest or highest value, if it is written with nines alone and occurs again."""
    for value in (low, high):
        if not _NINES.fullmatch(f"{value:.10g}"):
            continue
        others = columns[columns != value]
        again = columns.size - others.size > 1
        if again and others.size and abs(value - others.mean()) > _FAR * others.std():
            return value
    return None


def listed(values: Array) -> str:
    """Format numbers as a YAML list."""
    return f"[{', '.join(map(short, values))}]"


def short(value: float) -> str:
    """Format three digits so that every YAML reader reads a number."""
    text = f"{float(value):.3g}"
    mantissa, exponent, power = text.partition("e")
    if not exponent:
        return text
    if abs(float(text)) >= 1:
        return f"{float(text):.0f}"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{power}"


def near(value: float, deviation: float) -> str:
    """Round a mean to a tenth of the standard deviation."""
    places = 1 - math.floor(math.log10(deviation))
    rounded = round(float(value), places)
    return f"{rounded:.{max(places, 0)}f}" if places < _MOST_PLACES else short(rounded)

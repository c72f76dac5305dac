"""Ids in the data, checked against the layers and operations that look them up."""

from collections.abc import Sequence

from modelspec.checks.id_feeds import DROPPING, Feed
from modelspec.checks.rows import find_row, first_outside
from modelspec.data.arrays import Values, row_blocks
from modelspec.data.concatenated import Array, Column
from modelspec.language.slices import Key
from modelspec.problems.diagnostic import Diagnostic, Severity

_BLOCK = 1 << 20


def check_ids(feed: Feed, name: str, array: Column, values: Values) -> Diagnostic | None:
    """Return the problem of ids in the array ``name`` that a layer or an operation does not have.

    Without this check, an Embedding fails or returns zeros, and an encoding drops the ids.
    """
    least, most = -feed.size if feed.negative else 0, feed.size - 1
    low, high = _bounds(feed.keys, array, values)
    if low is None or high is None or least <= low <= high <= most:
        return None
    if feed.keys:
        row = find_row(array, lambda rows: _outside(rows, feed.keys, least, most))
    else:
        row = first_outside(array, least, most)
    ids = f"ids up to {high:.0f}" if low >= 0 else f"ids from {low:.0f} to {high:.0f}"
    kind = feed.node.type
    part = "" if not feed.keys else " in the slice that it looks up"
    message = (
        f"array {name} holds {ids}{part}, first in {row}, "
        f"but {kind} ({feed.argument} {feed.size}) has ids {least}..{most}"
    )
    route = (*feed.node.route, kind, feed.argument)
    hint = _hint(low, high, feed)
    severity: Severity = "error" if kind not in DROPPING else "warning"
    return Diagnostic("id-out-of-range", message, route, severity=severity, hint=hint)


def _bounds(
    keys: Sequence[tuple[Key, ...]], array: Column, values: Values
) -> tuple[float | None, float | None]:
    if not keys:
        return values.low, values.high
    low: float | None = None
    high: float | None = None
    for rows in row_blocks(array, _BLOCK):
        part = _taken(rows, keys)
        if part is None or not part.size:
            return None, None
        least, most = float(part.min()), float(part.max())
        low = least if low is None else min(low, least)
        high = most if high is None else max(high, most)
    return low, high


def _taken(rows: Array, keys: Sequence[tuple[Key, ...]]) -> Array | None:
    """Return the part of rows that slices select; None where they do not fit the shape."""
    for key in keys:
        try:
            rows = rows[key]
        except IndexError:
            return None
    return rows


def _outside(rows: Array, keys: Sequence[tuple[Key, ...]], least: int, most: int) -> Array:
    part = _taken(rows, keys)
    assert part is not None
    outside: Array = (part < least) | (part > most)
    return outside


def _hint(low: float, high: float, feed: Feed) -> str | None:
    if feed.negative:
        return f"{feed.argument} has {feed.size} entries along its axis"
    if low < 0:
        return "ids start at 0; keep 0 for padding"
    output_dim = feed.node.arguments.get("output_dim")
    if type(output_dim) is int and high < output_dim:
        return f"input_dim and output_dim look swapped: output_dim is {output_dim}"
    return f"{feed.argument} must be at least {high + 1:.0f}"

"""Checks of target values against the loss."""

import math

import numpy as np

from modelspec.catalog.losses import Head, LossFacts, Shape
from modelspec.checks.rows import find_row, first_outside, first_row, row_name
from modelspec.data.arrays import Values, row_blocks
from modelspec.data.concatenated import Array, Column
from modelspec.problems.diagnostic import Diagnostic

_BLOCK = 1 << 20
_TOLERANCE = 1e-3
"""The tolerance for the sum of a row's shares, which may have been stored as float16."""


_BOUNDS: dict[str, tuple[float, float]] = {
    "binary": (0, 1),
    "one-hot": (0, 1),
    "signs": (-1, 1),
    "counts": (0, math.inf),
}


def check_values(
    head: Head,
    facts: LossFacts,
    name: str,
    array: Column,
    values: Values,
    *,
    shape: Shape | None,
    ignore: int | None,
) -> Diagnostic | None:
    """Return the first problem of finite values; ``shape`` is the output's, without the batch."""
    if values.low is None or values.high is None:
        return None
    bounds = values.low, values.high
    if facts.targets in ("ids", "sequences", "groups"):
        problem = _fractions(head, name, array, values)
        if problem or facts.targets == "groups":
            return problem
        if facts.targets == "sequences":
            return _sequences(head, name, array, bounds, shape)
        classes = shape[-1] if shape else None
        return _class_ids(head, name, array, bounds, classes=classes, ignore=ignore)
    problem = _outside(head, facts, name, array, bounds)
    if problem is None and facts.targets == "one-hot" and facts.outputs == "shares":
        problem = _not_one_hot(head, name, array)
    return problem


def _fractions(head: Head, name: str, array: Column, values: Values) -> Diagnostic | None:
    if values.first_fraction is None:
        return None
    message = (
        f"array {name} holds non-integers, first in {row_name(array, values.first_fraction)}, "
        "but this loss needs integer class ids"
    )
    return Diagnostic("wrong-dtype", message, head.route)


def _class_ids(
    head: Head,
    name: str,
    array: Column,
    bounds: tuple[float, float],
    *,
    classes: int | None,
    ignore: int | None,
) -> Diagnostic | None:
    low, high = bounds
    if low >= 0 and (classes is None or high < classes):
        return None
    most = math.inf if classes is None else classes - 1
    row = first_row(array, lambda rows: ((rows < 0) | (rows > most)) & (rows != ignore))
    message = f"array {name} holds class ids {low:g}..{high:g}, first in {row}, but " + (
        f"output {head.output} has classes 0..{classes - 1}" if classes else "ids start at 0"
    )
    hint = _class_id_hint(head, low, high, classes)
    return Diagnostic("class-id-out-of-range", message, head.route, hint=hint)


def _class_id_hint(head: Head, low: float, high: float, classes: int | None) -> str | None:
    if low == 1 and high == classes:
        return "ids start at 0: subtract 1 from them"
    if low < 0:
        return (
            f"if {low:g} marks a missing class, ignore_class: {low:g} leaves it out; or save 0 "
            f"there, and {head.output}_weight with 0 in those rows"
        )
    if classes == 1:
        return "binary_crossentropy is the loss for a single output of 0 or 1"
    return f"the output needs {high + 1:g} units for these ids"


def _sequences(
    head: Head, name: str, array: Column, bounds: tuple[float, float], shape: Shape | None
) -> Diagnostic | None:
    """Check rows of ids for CTC: from 1, because 0 is the blank and fills the rows."""
    low, high = bounds
    classes, steps = (shape[-1], shape[0]) if shape and len(shape) > 1 else (None, None)
    code = "class-id-out-of-range"
    if low < 0:
        row = first_outside(array, 0, math.inf)
        message = f"array {name} holds ids down to {low:g}, first in {row}, but ids start at 1"
        hint = f"this loss pads rows with 0: save numpy.where({name} < 0, 0, {name})"
        return Diagnostic(code, message, head.route, hint=hint)
    if classes is not None and high >= classes:
        row = first_outside(array, 0, classes - 1)
        message = (
            f"array {name} holds ids up to {high:g}, first in {row}, but output {head.output} "
            f"has ids 1..{classes - 1}, and 0 for the blank"
        )
        hint = f"{high + 1:g} units hold these ids; if {high:g} is padding, save 0 instead"
        return Diagnostic(code, message, head.route, hint=hint)
    if array.ndim != 2:  # noqa: PLR2004 - of an output of unknown shape
        return None
    inside = find_row(array, lambda rows: (rows[:, :-1] == 0) & (rows[:, 1:] != 0))
    if inside:
        message = (
            f"array {name} holds a 0 before other ids, first in {inside}: this loss reads 0 as the "
            "blank, and as padding at the end of a row"
        )
        hint = "start the ids at 1, with one more unit, and put all zeros at the end"
        return Diagnostic(code, message, head.route, hint=hint)
    return _too_long(head, name, array, steps) if steps is not None else None


def _too_long(head: Head, name: str, array: Column, steps: int) -> Diagnostic | None:
    """Report a row with more ids than the output has steps; a blank separates equal neighbours."""

    def needed(rows: Array) -> Array:
        twice = (rows[:, 1:] == rows[:, :-1]) & (rows[:, 1:] != 0)
        total: Array = (rows != 0).sum(-1) + twice.sum(-1)
        return total

    row = find_row(array, lambda rows: needed(rows) > steps)
    if row is None:
        return None
    most = max(int(needed(rows).max()) for rows in row_blocks(array, _BLOCK))
    message = (
        f"array {name} has rows that need {most} steps, the first of them in {row}, but output "
        f"{head.output} has {steps}: the loss of such a row is infinite"
    )
    hint = (
        "an id needs a step, and two equal ones a blank between them; pool less along the step axis"
    )
    return Diagnostic("wrong-target-shape", message, head.route, hint=hint)


def _outside(
    head: Head, facts: LossFacts, name: str, array: Column, bounds: tuple[float, float]
) -> Diagnostic | None:
    low, high = bounds
    least, most = _BOUNDS.get(facts.targets, (-math.inf, math.inf))
    if least <= low and high <= most:
        return None
    needed = f"{least}..{most}" if most < math.inf else f"{least} or more"
    message = (
        f"array {name} holds values from {low:g} to {high:g}, first in "
        f"{first_outside(array, least, most)}, but this loss needs {needed}"
    )
    hint = None
    if (least, most) == (0, 1):
        one_hot = facts.targets == "one-hot"
        hint = _probability_hint(head, array, low, high, one_hot=one_hot)
    return Diagnostic("target-out-of-range", message, head.route, hint=hint)


def _probability_hint(
    head: Head, array: Column, low: float, high: float, *, one_hot: bool
) -> str | None:
    # Two values can be mapped to two classes; a third value cannot.
    if (low, high) == (-1, 1) and find_row(array, lambda rows: abs(rows) != 1) is None:
        return "hinge is the loss for -1 and 1; for this one save (array + 1) / 2"
    if (marker := _marker(array, low, high)) is not None:
        return (
            f"if {marker:g} marks a missing label, save 0 there, and {head.output}_weight with 0 "
            "in those rows, 1 in the others"
        )
    if (low, high) == (1, 2):
        return "subtract 1, so that the classes are 0 and 1"
    if low >= 0 and 128 <= high <= 255:  # noqa: PLR2004
        return "for 8-bit intensities save array / 255"
    if not one_hot and low >= 0:
        return "for more than two classes use sparse_categorical_crossentropy and one unit for each"
    return None


def _marker(array: Column, low: float, high: float) -> float | None:
    """Return the third value of an array that has 0, 1 and one other."""
    if low == -1 and high <= 1:
        return low
    if low != 0 or high <= 2:  # noqa: PLR2004 - a third class
        return None
    others = find_row(array, lambda rows: (rows != 0) & (rows != 1) & (rows != high))
    ones = find_row(array, lambda rows: rows == 1)
    return high if ones is not None and others is None else None


def first_not_one_hot(array: Column) -> str | None:
    """Name the first row whose last axis has several labels, or none: its sum is above 1, or 0."""
    if array.ndim < 2 or array.shape[-1] < 2:  # noqa: PLR2004
        return None

    def is_wrong(rows: Array) -> Array:
        sums = rows.sum(-1, dtype=np.float64)
        wrong: Array = (sums > 1 + _TOLERANCE) | (sums < _TOLERANCE)
        return wrong

    return find_row(array, is_wrong)


def _not_one_hot(head: Head, name: str, array: Column) -> Diagnostic | None:
    row = first_not_one_hot(array)
    if row is None:
        return None
    message = (
        f"array {name} has rows with several labels, or none, first in {row}, but this loss needs "
        "the share of each class"
    )
    hint = (
        "for several labels per sample use binary_crossentropy and a sigmoid; for a row without a "
        f"label save {head.output}_weight with 0 there"
    )
    return Diagnostic("not-one-hot", message, head.route, severity="warning", hint=hint)

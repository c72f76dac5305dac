"""Class names as targets, and the ids that losses take."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from modelspec.data.arrays import row_blocks
from modelspec.data.claims import Sources
from modelspec.data.concatenated import Array, Column, Rows
from modelspec.language.columns import ColumnSource
from modelspec.problems.diagnostic import Diagnostic, Route, did_you_mean

ClassNames = tuple[str | int, ...]

MISSING_MARKS = frozenset({"#n/a", "-", "--", "?", "n/a", "na", "nan", "nil", "null"})
"""Texts, in lower case, that are rarely real values."""

_BLOCK = 1 << 20
_LISTED = 10
_MOST = 100_000


class OneHot:
    """Rows of 0 and a single 1, computed from class ids when they are indexed."""

    def __init__(self, ids: Array, classes: int) -> None:
        self.ids = ids
        self.shape: tuple[int, ...] = (len(ids), classes)
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.ndim = 2

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Rows, /) -> Array:
        made: Array = (self.ids[rows][:, None] == np.arange(self.shape[1])).astype(self.dtype)
        return made


def ids_of(column: Column) -> Array:
    """Return the id of each row of a column that was made from names of classes."""
    return column.ids if isinstance(column, OneHot) else np.asarray(column[:])


def class_ids(
    name: str, column: Column, classes: Sequence[str | int] | None, route: Route
) -> tuple[Array, ClassNames, list[Diagnostic]]:
    """Return the id of each row's class, and the classes: the listed ones, or those in the rows.

    ``name`` is that of the array. Text is compared without surrounding spaces, and classes from the
    rows are sorted. An unlisted class that looks like a mark for a missing cell is a warning.
    """
    warnings: list[Diagnostic] = []
    if column.ndim == 2 and column.shape[1] == 1:  # noqa: PLR2004 - samples, and an axis of 1
        column = np.asarray(column[:]).reshape(-1)
    if column.ndim != 1 or column.dtype.kind not in "biufUS":
        message = (
            f"array {name} holds {column.dtype} of shape {list(column.shape)}, not one class each"
        )
        return np.empty(0), (), [Diagnostic("wrong-dtype", message, route)]
    text = column.dtype.kind in "US"
    if classes is None:
        seen = np.empty(0, "U1" if text else column.dtype)
        for rows in row_blocks(column, _BLOCK):
            seen = np.union1d(seen, _plain(rows))
            if len(seen) > _MOST:
                message = f"array {name} has more than {_MOST:,} values, too many for classes"
                return np.empty(0), (), [Diagnostic("wrong-dtype", message, route)]
        classes = tuple(_written(value) for value in seen.tolist() if value not in {"", None})
        warnings = _like_missing(name, classes, route)
    known = np.array([str(value) if text else value for value in classes])
    if not text and known.dtype.kind in "US":
        known = np.array([_number(value) for value in classes])
    order = np.argsort(known, kind="stable")
    ids = np.zeros(len(column), np.int32)
    start = 0
    for rows in row_blocks(column, _BLOCK):
        plain = _plain(rows)
        at = np.minimum(np.searchsorted(known[order], plain), len(known) - 1)
        wrong = known[order][at] != plain
        if wrong.any():
            row = int(wrong.argmax())
            return ids, tuple(classes), [_unknown(name, plain[row], start + row, classes, route)]
        ids[start : start + len(rows)] = order[at]
        start += len(rows)
    return ids, tuple(classes), warnings


def _like_missing(name: str, classes: ClassNames, route: Route) -> list[Diagnostic]:
    marks = [text for text in classes if str(text).lower() in MISSING_MARKS]
    if not marks or "+" in classes:  # + and - are two classes
        return []
    message = f"array {name} has the class {marks[0]}, which often marks a missing cell"
    hint = f"if it does, write missing: {json.dumps(marks)}; if it is a class, list the classes"
    return [Diagnostic("unknown-class", message, route, severity="warning", hint=hint)]


def _plain(rows: Array) -> Array:
    if rows.dtype.kind == "S":
        rows = np.char.decode(rows, "utf-8")
    return np.char.strip(rows) if rows.dtype.kind == "U" else rows


def _written(value: str | float) -> str | int:
    return value if isinstance(value, str) else int(value) if int(value) == value else str(value)


def _number(name: str | int) -> float:
    try:
        return float(name)
    except ValueError:
        return np.nan


def _unknown(
    name: str, value: object, row: int, classes: Sequence[str | int], route: Route
) -> Diagnostic:
    if str(value) in {"", "nan"}:
        message = f"array {name} has no class in row {row}"
        return Diagnostic("unknown-class", message, route, hint="remove the rows without a class")
    listed = ", ".join(map(str, classes[:_LISTED]))
    message = f"array {name} has the class {value} in row {row}, which is not one of {listed}"
    hint = did_you_mean(str(value), map(str, classes))
    return Diagnostic("unknown-class", message, route, hint=hint)


def with_ids(
    columns: Mapping[str, Column],
    array_names: Mapping[str, str],
    names: Sources,
    one_hot: Collection[str],
) -> tuple[dict[str, Column], dict[str, ClassNames], list[Diagnostic]]:
    """Return the columns of outputs; class names are replaced by ids or one-hot rows."""
    by_name, classes, problems = dict(columns), {}, []
    for name, source in names.items():
        if isinstance(source, ColumnSource) and source.has_classes and name in columns:
            route = ("data", name)
            ids, classes[name], faults = class_ids(
                array_names[name], columns[name], source.classes, route
            )
            by_name[name] = OneHot(ids, len(classes[name])) if name in one_hot else ids
            problems += faults
    return by_name, classes, problems


def unlisted_classes(names: Sources) -> frozenset[str]:
    """Return the outputs whose classes are those in the rows, since the spec does not list them."""
    return frozenset(
        name
        for name, source in names.items()
        if isinstance(source, ColumnSource) and source.has_classes and source.classes is None
    )

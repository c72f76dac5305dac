"""The columns of a list of runs: their values for each run, and sorting by a column."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelspec.runs.history import is_number
from modelspec.runs.listing import Listed

OWN = ("name", "status", "started", "seconds", "epochs", "best", "folder")
"""The columns of every run; metrics and parameters are further columns."""

_PARAMETERS = "params."
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Row:
    """A run and its values by column, as JSON data; None where a value is unknown.

    A metric is that of the last epoch; ``best`` is the value of the best epoch.
    """

    run: Listed
    values: Mapping[str, Any]

    @classmethod
    def of(cls, run: Listed) -> "Row":
        own = run.as_json() | {"best": run.best and run.best.value}
        # A metric cannot replace a column of the run itself.
        return cls(run, dict(run.metrics) | _by_path(_PARAMETERS, run.parameters) | own)


def _by_path(start: str, parameters: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Return each parameter by its path, also those inside of mappings."""
    columns: dict[str, Any] = {}
    for name, value in parameters.items():
        columns[f"{start}{name}"] = _finite(value)
        if isinstance(value, dict) and depth < _DEEPEST:
            columns |= _by_path(f"{start}{name}.", value, depth + 1)
    return columns


def _finite(value: Any, depth: int = 0) -> Any:
    """Replace numbers that JSON does not have by their names; None for data nested too deeply."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {name: _finite(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item, depth + 1) for item in value]
    return str(value) if isinstance(value, float) and not is_number(value) else value


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Return the names of all columns: those of every run, then metrics, then parameters."""
    names = dict.fromkeys((*OWN, *(name for row in rows for name in row.values)))
    return sorted(names, key=lambda name: name.startswith(_PARAMETERS))


def in_order(rows: Sequence[Row], column: str, *, descending: bool = False) -> list[Row]:
    """Sort rows by the values of a column: numbers before texts, missing values last.

    Rows with equal values keep their order.
    """
    known = [row for row in rows if row.values.get(column) is not None]
    missing = [row for row in rows if row.values.get(column) is None]
    known.sort(key=lambda row: _rank(row.values[column]), reverse=descending)
    return known + missing


def _rank(value: Any) -> tuple[bool, float, str]:
    if isinstance(value, bool | int | float):
        return False, value, ""
    return True, 0, value if isinstance(value, str) else json.dumps(value)

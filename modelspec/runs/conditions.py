"""Conditions on the columns of a list of runs, as ``val_loss<0.5``."""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from modelspec.runs.columns import Row

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_WORDS = {"true": True, "false": False, "null": None}
_CONDITION = re.compile(r"\s*(.+?)\s*(<=|>=|!=|==|<|>|=)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """A column, an operator, and the number, word or text that the column is compared with.

    An unknown value fulfils no condition but ``=null``, and ``!=`` with something else. Numbers are
    compared with numbers, texts with texts; values of two kinds are unequal and in no order.
    """

    column: str
    operator: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read ``COLUMN<VALUE``; the operators are < <= > >= = == and !=.

        Raises:
            ValueError: There is no operator, or nothing on one of its sides.
        """
        match = _CONDITION.fullmatch(text)
        if match is None or not match[3]:
            raise ValueError(f"{text!r} is not a condition, such as val_loss<0.5")
        return cls(match[1], match[2], _value(match[3]))

    def holds(self, row: Row) -> bool:
        value = row.values.get(self.column)
        if _kind(value) != _kind(self.value):
            return self.operator == "!="
        if self.operator not in ("=", "==", "!=") and not isinstance(value, int | float | str):
            return False
        return _OPERATORS[self.operator](value, self.value)


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        return float(text)
    except ValueError:
        return text.removeprefix(text[0]).removesuffix(text[0]) if _is_quoted(text) else text


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"


def _kind(value: Any) -> type:
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def where(rows: Iterable[Row], conditions: Sequence[Condition]) -> list[Row]:
    """Return the rows that fulfil every condition, in their order."""
    return [row for row in rows if all(condition.holds(row) for condition in conditions)]

"""``${…}``: arithmetic on parameters.

Expressions are replaced in parsed YAML, never in its text. Python's own parser reads them. Only
names, numbers, strings, arithmetic, parentheses and indexing are allowed, and the size of every
result is limited, so that no expression runs for long or uses much memory.
"""

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import chain, islice
from reprlib import repr as short
from typing import Any

from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Route, did_you_mean

MAX_LENGTH = 400
MAX_BITS = 256
MAX_SIZE = 10_000
"""The limit of characters in a string, or values in a collection, that an expression returns."""

MAX_DEPTH = 64
"""The limit of nested lists and mappings in the value of an expression."""

_EXPRESSION = re.compile(r"\$\{([^{}]*)\}")
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


class ExpressionError(Exception):
    """An expression that cannot be computed; ``hint`` is the remedy."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class EchoError(ExpressionError):
    """An expression with a value that could not be computed, which was already reported."""


def has_expression(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def fill(data: Any, scope: Mapping[str, Any], route: Route, problems: list[Diagnostic]) -> Any:
    """Compute every expression in ``data``; one that fails is reported and becomes UNKNOWN.

    Values without expressions are not copied, so that a repeated layer needs no memory of its own.
    """
    if isinstance(data, dict):
        entries = {key: fill(item, scope, (*route, key), problems) for key, item in data.items()}
        return data if all(entries[key] is data[key] for key in data) else entries
    if isinstance(data, list | tuple):
        items = [fill(item, scope, (*route, index), problems) for index, item in enumerate(data)]
        return data if all(map(operator.is_, items, data)) else items
    return compute(data, scope, route, problems) if has_expression(data) else data


def compute(text: str, scope: Mapping[str, Any], route: Route, problems: list[Diagnostic]) -> Any:
    """Compute the value of one text; an expression that fails is reported and gives UNKNOWN."""
    try:
        return substitute(text, scope)
    except EchoError:
        return UNKNOWN
    except ExpressionError as error:
        problems.append(Diagnostic("bad-expression", str(error), route, hint=error.hint))
        return UNKNOWN


def substitute(text: str, scope: Mapping[str, Any]) -> Any:
    """Compute a text: a whole ``${…}`` keeps its type; within a longer text it is formatted.

    Raises:
        ExpressionError: An expression is malformed, has an unknown name, or exceeds a limit.
    """
    _bounded_text(text)
    whole = _EXPRESSION.fullmatch(text)
    if whole:
        return evaluate(whole[1], scope)
    if "${" in _EXPRESSION.sub("", text):
        raise ExpressionError(f"{short(text)} has a ${{ without }}")
    return _bounded_text(_EXPRESSION.sub(lambda match: _text(evaluate(match[1], scope)), text))


def evaluate(expression: str, scope: Mapping[str, Any]) -> Any:
    """Compute the expression between ``${`` and ``}``.

    Raises:
        ExpressionError: As for ``substitute``.
    """
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    try:
        return _bounded(_value(_parsed(expression.strip()), scope))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"${{{expression}}} is not an expression") from None
    except ZeroDivisionError:
        raise ExpressionError(f"${{{expression}}} divides by zero") from None
    except OverflowError:
        raise ExpressionError(f"${{{expression}}} is too large") from None


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(expression, mode="eval").body


def _value(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() | str() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.Name(id=name):
            return _look_up(name, scope)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            value = _number(_value(operand, scope))
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _ARITHMETIC:
            return _combine(operation, _value(left, scope), _value(right, scope))
        case ast.Subscript(value=container, slice=index):
            return _index(_value(container, scope), _value(index, scope))
    raise ExpressionError(
        f"{ast.unparse(node)} is not allowed in ${{…}}",
        "names, numbers, strings, + - * / // % **, parentheses and indexing are",
    )


def _look_up(name: str, scope: Mapping[str, Any]) -> Any:
    if name not in scope:
        known = ", ".join(scope) or "none"
        hint = did_you_mean(name, scope) or f"known here: {known}"
        raise ExpressionError(f"no parameter is named {name}", hint)
    return _certain(scope[name])


def _certain(value: Any) -> Any:
    if value is UNKNOWN:
        raise EchoError("it depends on a value that could not be computed")
    return value


def _combine(operation: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(operation, ast.Add) and isinstance(left, str | list):
        if type(left) is not type(right):
            raise ExpressionError(f"{short(left)} and {short(right)} cannot be added")
        joined: Any = left
        return _bounded(joined + right)
    left, right = _number(left), _number(right)
    if isinstance(operation, ast.Pow) and isinstance(left + right, int):
        _bounded_power(left, right)
    return _bounded(_number(_ARITHMETIC[type(operation)](left, right)))


def _bounded_power(base: int, exponent: int) -> None:
    if base.bit_length() * abs(exponent) > MAX_BITS:
        raise OverflowError


def _index(container: Any, index: Any) -> Any:
    if not isinstance(container, list | dict | str):
        raise ExpressionError(f"{short(container)} cannot be indexed")
    try:
        return _certain(container[index])
    except (LookupError, TypeError):
        raise ExpressionError(f"{short(container)} has no {short(index)}") from None


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"{short(value)} is not a number")
    return value


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise OverflowError
    if isinstance(value, str) and len(value) > MAX_SIZE:
        raise OverflowError
    if isinstance(value, list | dict) and size(value, MAX_SIZE) > MAX_SIZE:
        raise OverflowError
    return value


def size(data: Any, most: int) -> int:
    """Count the values in lists and mappings at all levels, up to ``most + 1``.

    Data that is nested deeper than ``MAX_DEPTH`` counts as ``most + 1``.
    """
    count, level = 0, [data]
    for _ in range(MAX_DEPTH):
        count += len(level)
        if not level or count > most:
            return count
        level = list(islice(chain.from_iterable(map(_members, level)), most + 1))
    return most + 1


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _bounded_text(text: str) -> str:
    if len(text) > MAX_SIZE:
        raise ExpressionError(f"{short(text)} is longer than {MAX_SIZE:,} characters")
    return text


def _text(value: Any) -> str:
    if isinstance(value, dict | list) or value is None:
        raise ExpressionError(f"{short(value)} cannot be part of a longer string")
    return str(value).lower() if isinstance(value, bool) else str(value)

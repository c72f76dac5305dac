"""``${…}``: arithmetic on parameters, and nothing else.

Expressions are substituted into parsed YAML, never into its text. Python's own parser reads them;
only names, numbers, strings, arithmetic, parentheses and indexing are let through, and every
result is bounded, so that no expression can run for long or grow large.
"""

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from modelspec.diagnostics import Diagnostic, Route, did_you_mean

MAX_LENGTH = 400
MAX_BITS = 256
MAX_TEXT = 10_000

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
    """An expression that cannot be computed; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def has_expression(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def fill(data: Any, scope: Mapping[str, Any], route: Route, problems: list[Diagnostic]) -> Any:
    """``data`` with every expression computed; what cannot be is reported and becomes None."""
    if isinstance(data, dict):
        return {key: fill(item, scope, (*route, key), problems) for key, item in data.items()}
    if isinstance(data, list):
        return [fill(item, scope, (*route, index), problems) for index, item in enumerate(data)]
    if not has_expression(data):
        return data
    try:
        return substitute(data, scope)
    except ExpressionError as error:
        problems.append(Diagnostic("bad-expression", str(error), route, hint=error.hint))
        return None


def substitute(text: str, scope: Mapping[str, Any]) -> Any:
    """The value of a text: a whole ``${…}`` keeps its type, inside a longer text it is formatted.

    Raises:
        ExpressionError: where an expression is malformed, names nothing, or is out of bounds.
    """
    whole = _EXPRESSION.fullmatch(text)
    if whole:
        return evaluate(whole[1], scope)
    if "${" in _EXPRESSION.sub("", text):
        raise ExpressionError(f"{text!r} has a ${{ without its }}")
    return _EXPRESSION.sub(lambda match: _text(evaluate(match[1], scope)), text)


def evaluate(expression: str, scope: Mapping[str, Any]) -> Any:
    """The value of what stands between ``${`` and ``}``.

    Raises:
        ExpressionError: as for ``substitute``.
    """
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(expression.strip(), mode="eval")
        return _value(tree.body, scope)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"${{{expression}}} is not an expression") from None
    except ZeroDivisionError:
        raise ExpressionError(f"${{{expression}}} divides by zero") from None
    except OverflowError:
        raise ExpressionError(f"${{{expression}}} is too large") from None


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
    return scope[name]


def _combine(operation: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(operation, ast.Add) and isinstance(left, str | list):
        if type(left) is not type(right):
            raise ExpressionError(f"{left!r} and {right!r} cannot be added")
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
        raise ExpressionError(f"{container!r} cannot be indexed")
    try:
        return container[index]
    except (LookupError, TypeError):
        raise ExpressionError(f"{container!r} has no {index!r}") from None


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"{value!r} is not a number")
    return value


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise OverflowError
    if isinstance(value, str | list) and len(value) > MAX_TEXT:
        raise OverflowError
    return value


def _text(value: Any) -> str:
    if isinstance(value, dict | list) or value is None:
        raise ExpressionError(f"{value!r} cannot stand inside a longer text")
    return str(value).lower() if isinstance(value, bool) else str(value)

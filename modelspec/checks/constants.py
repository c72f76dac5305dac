"""Constants of operations with which no result, or none for a sample alone, can be computed."""

from collections.abc import Iterator
from typing import Final

from modelspec.checks.plain_values import numbers_in
from modelspec.graph.graph import Node
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Severity

_DIVISORS: Final = frozenset(
    f"ops.{name}" for name in ("divide", "true_divide", "mod", "fmod", "floor_divide")
)
"""Operations that divide by ``x2``."""

_ONE_AXIS: Final = frozenset(
    f"ops.{name}" for name in ("softmax", "log_softmax", "nancumsum", "nancumprod")
)
_SEGMENTS: Final = {
    "ops.segment_sum": "adds up",
    "ops.segment_prod": "multiplies",
    "ops.segment_max": "compares",
    "ops.segment_min": "compares",
}
"""Operations along axis 0, which is the batch."""


def check_constants(node: Node) -> Iterator[Diagnostic]:
    """Yield the problems of the constants of one operation."""
    route = (*node.route, node.type)
    divisor = node.arguments.get("x2")
    if node.type in _DIVISORS and any(number == 0 for number in numbers_in(divisor)):
        message = f"x2 is the divisor of {node.type}, but it is 0"
        by_zero = "ops.divide_no_nan gives 0 where the divisor is 0"
        hint = by_zero if node.type in ("ops.divide", "ops.true_divide") else None
        yield Diagnostic("wrong-value", message, (*route, "x2"), hint=hint)
    if node.type == "ops.power":
        yield from _base(node)
    yield from _forms(node)
    order = node.arguments.get("order", 2)
    if node.type == "ops.normalize" and _is_number(order) and order < 1:
        message = f"order of ops.normalize is 1 or more, not {order}"
        hint = "order: 1 divides by the sum of the absolute values, 2 by the length"
        yield Diagnostic("wrong-value", message, (*route, "order"), hint=hint)
    if node.type == "ops.squeeze" and node.arguments.get("axis") in (None, []):
        message = "without axis, ops.squeeze also removes the batch where it has one row"
        hint = "axis: -1 removes the last axis, of length 1; a list removes several"
        yield Diagnostic("lost-batch", message, route, "key", hint=hint)
    if node.type in _SEGMENTS:
        does = _SEGMENTS[node.type]
        message = f"{node.type} {does} the samples of a batch: its segments are along axis 0"
        hint = "operations along an axis from 1, such as ops.sum, stay within a sample"
        constant = "segment_ids" in node.arguments  # one for each row of a batch, which varies
        severity: Severity = "error" if constant else "warning"
        yield Diagnostic("lost-batch", message, route, "key", severity=severity, hint=hint)


def _forms(node: Node) -> Iterator[Diagnostic]:
    """Report constants of a type that only the first step would refuse."""
    arguments = node.arguments

    def refused(name: str, words: str) -> Diagnostic:
        message = f"{name} of {node.type} must be {words}"
        return Diagnostic("wrong-type", message, (*node.route, node.type, name))

    if node.type in _ONE_AXIS and isinstance(arguments.get("axis"), list):
        yield refused("axis", "one axis, not a list")
    if node.type == "ops.clip":
        nulls = [name for name in ("x_min", "x_max") if arguments.get(name, 0) is None]
        yield from (refused(name, "a number, not null") for name in nulls)
    if node.type == "ops.pad" and _is_number(arguments.get("pad_width")):
        yield refused("pad_width", "a list with a pair for each axis, also for the batch: [0, 0]")
    if node.type == "ops.take" and any(
        type(n) is not int for n in numbers_in(arguments.get("indices"))
    ):
        yield refused("indices", "integers")
    shift = arguments.get("shift", UNKNOWN)
    if (
        node.type == "ops.roll"
        and shift is not UNKNOWN
        and not _agree(shift, arguments.get("axis"))
    ):
        yield refused("shift", "an integer for one axis, or a list as long as that of axis")
    if node.type in _SEGMENTS and arguments.get("num_segments", 1) is None:
        yield refused("num_segments", "a number, not null: shapes are known before training")


def _agree(shift: object, axis: object) -> bool:
    """Return True where the shifts of a ``roll`` fit its axes."""
    if isinstance(shift, list) and isinstance(axis, list):
        return len(shift) == len(axis) > 0 and all(type(number) is int for number in shift)
    return type(shift) is int and (axis is None or type(axis) is int)


def _base(node: Node) -> Iterator[Diagnostic]:
    """Warn of a constant that no fraction, or no negative number, can be the power of."""
    base = node.arguments.get("x1")
    if any(number <= 0 for number in numbers_in(base)):
        message = "x1 is above 0: a power of a negative number is NaN, a negative one of 0 infinite"
        route = (*node.route, node.type, "x1")
        yield Diagnostic("wrong-value", message, route, severity="warning")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

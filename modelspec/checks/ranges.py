"""Arguments with which Keras computes, although the results have no meaning."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Route

_SHARES: Final = frozenset({"beta_1", "beta_2", "rho", "ema_momentum"})
"""Arguments of optimizers that say how much of an average stays: 0 or more, and below 1."""


def check_ranges(spec: Spec, graph: Graph, heads: Sequence[Head]) -> Iterator[Diagnostic]:
    """Warn of values of optimizers, losses and layers that are out of their range."""
    yield from _optimizer(spec.optimizer, ("optimizer",))
    for head in heads:
        written = Written.read(head.loss, head.route)
        if written is not None:
            yield from _loss(written.arguments, written.route)
    for node in graph.nodes:
        if node.layer == node.name and node.type == "Discretization":
            yield from _boundaries(node.arguments, (*node.route, node.type))


def _optimizer(value: Any, route: Route) -> Iterator[Diagnostic]:
    written = Written.read(value, route)
    if written is None:
        return
    for name, number in _numbers(written.arguments):
        if name in _SHARES and not 0 <= number < 1:
            yield _problem(f"{name} is 0 or more and below 1", number, (*written.route, name))
        if name == "learning_rate" and not math.isfinite(number):
            yield _problem("a learning rate is finite", number, (*written.route, name))
    inner = written.arguments.get("inner_optimizer")
    if inner is not None:
        yield from _optimizer(inner, (*written.route, "inner_optimizer"))


def _loss(arguments: Mapping[Any, Any], route: Route) -> Iterator[Diagnostic]:
    for name, number in _numbers(arguments):
        if name == "label_smoothing" and not 0 <= number < 1:
            yield _problem("label_smoothing is 0 or more and below 1", number, (*route, name))
        if name == "delta" and not number > 0:
            yield _problem("delta is above 0", number, (*route, name))


def _boundaries(arguments: Mapping[Any, Any], route: Route) -> Iterator[Diagnostic]:
    bounds = arguments.get("bin_boundaries")
    if not isinstance(bounds, list) or not all(isinstance(bound, int | float) for bound in bounds):
        return
    if sorted(bounds) != bounds:
        message = "bin_boundaries must be in ascending order"
        yield Diagnostic("wrong-value", message, (*route, "bin_boundaries"))


def _numbers(arguments: Mapping[Any, Any]) -> Iterator[tuple[str, float]]:
    for name, value in arguments.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value


def _problem(range_text: str, value: float, route: Route) -> Diagnostic:
    message = f"{range_text}, not {value}: Keras computes with it, but the result has no meaning"
    return Diagnostic("wrong-value", message, route, severity="warning")

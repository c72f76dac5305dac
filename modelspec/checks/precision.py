"""Regularizers and the precision of training: Keras can only add losses of float32."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelspec.graph.graph import Graph, Node
from modelspec.graph.heads import Head
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic, Route

_ACTIVITY = "activity_regularizer"


def check_precision(spec: Spec, graph: Graph, heads: Sequence[Head]) -> Iterator[Diagnostic]:
    """Report regularizers whose losses Keras cannot add to those of the outputs.

    The losses of activities have the dtype in which layers compute, those of weights the dtype of
    the weights; seen in Keras 3.10 to 3.15.
    """
    precision = spec.training.precision
    if precision == "float32" or all(head.loss is None for head in heads):
        return
    mixed = precision.startswith("mixed")
    seen: set[Route] = set()
    for node in graph.nodes:
        if node.layer != node.name or node.route in seen or "dtype" in node.options:
            continue
        seen.add(node.route)
        for route in _regularizers(node, mixed=mixed):
            what = "activity regularizer" if mixed else "regularizer"
            message = f"Keras cannot train with this {what} and precision {precision}"
            hint = "leave it out, or use precision: float32"
            if mixed:
                hint = f"regularize the weights, or write dtype: float32 beside {node.type}"
            yield Diagnostic("regularizer-precision", message, route, "key", hint=hint)


def _regularizers(node: Node, *, mixed: bool) -> Iterator[Route]:
    route = (*node.route, node.type)
    if node.type == "ActivityRegularization":
        yield route
    yield from _in_arguments(node.arguments, route, mixed=mixed)


def _in_arguments(arguments: Any, route: Route, *, mixed: bool) -> Iterator[Route]:
    """Yield the arguments of a layer, and of layers inside it, that name a regularizer."""
    if not isinstance(arguments, Mapping):
        return
    for name, value in arguments.items():
        place = (*route, name)
        regularizes = name == _ACTIVITY if mixed else str(name).endswith("regularizer")
        if regularizes and value is not None:
            yield place
        elif isinstance(value, Mapping):
            yield from _in_arguments(value, place, mixed=mixed)

"""Layers that no gradient of a loss reaches."""

from collections.abc import Collection, Iterator
from typing import Any

import keras

from modelspec.backend.model.assembled import Assembly
from modelspec.catalog.operation_facts import NO_GRADIENT, plain_name
from modelspec.graph.graph import Graph, Node
from modelspec.problems.diagnostic import Diagnostic, Severity

_ON_PURPOSE = "ops.stop_gradient"
_SHOWN = 4


def check_gradients(
    graph: Graph, assembly: Assembly, trained: Collection[str], *, more_losses: bool
) -> Iterator[Diagnostic]:
    """Report the calls without a gradient between the losses of the outputs ``trained`` and layers.

    If no loss reaches any weight, training cannot start, which is an error. ``more_losses`` says
    that layers may add losses of their own, which can reach the weights.
    """
    nodes = {node.name: node for node in graph.nodes}
    cuts = {node.name for node in graph.nodes if _is_cut(node, assembly)}
    starts = [graph.outputs[name].name for name in trained if name in graph.outputs]
    if not cuts or not starts:
        return
    reached = _above(starts, nodes, cuts)
    learning = {name for name in reached - cuts if _learns(nodes.get(name), assembly)}
    learning |= {nodes[name].layer for name in learning}
    fails = not learning and not more_losses and not any(map(_regularizes, graph.nodes))
    for name in (node.name for node in graph.nodes if node.name in cuts & reached):
        above = _above([source.name for source in nodes[name].sources()], nodes, ())
        lost = [
            other
            for other in nodes
            if other in above
            and nodes[other].layer not in learning
            and _learns(nodes[other], assembly)
        ]
        if lost and (fails or nodes[name].type != _ON_PURPOSE):
            yield _problem(nodes[name], lost, fails=fails)


def _problem(cut: Node, lost: list[str], *, fails: bool) -> Diagnostic:
    listed = ", ".join(lost[:_SHOWN]) + (", …" if len(lost) > _SHOWN else "")
    result = (
        "no loss reaches any weight, so training cannot start"
        if fails
        else f"no loss trains {listed}"
    )
    message = f"{cut.name} ({cut.type}) has no gradient: {result}"
    hint = "use argmax, round, comparisons and casts to integers only for outputs without a loss"
    severity: Severity = "error" if fails else "warning"
    return Diagnostic("no-gradient", message, cut.route, "key", severity=severity, hint=hint)


def _above(names: Collection[str], nodes: dict[str, Node], stops: Collection[str]) -> set[str]:
    """Return some nodes and those before them, but none before one of ``stops``."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        if name not in stops:
            waiting.extend(source.name for source in nodes[name].sources())
    return seen


def _is_cut(node: Node, assembly: Assembly) -> bool:
    """Return True for a call of floats without a gradient: by its definition, or of integers."""
    if node.name not in assembly.values:
        return False
    values = [assembly.values[source.name] for source in node.sources()]
    return _has_floats(values) and (
        plain_name(node.type) in NO_GRADIENT or not _has_floats(assembly.values[node.name])
    )


def _has_floats(value: Any) -> bool:
    dtypes = (str(tensor.dtype) for tensor in keras.tree.flatten(value))
    return any("float" in dtype or "complex" in dtype for dtype in dtypes)


def _regularizes(node: Node) -> bool:
    """Return True where a layer may have a loss of its own."""
    named = any(name.endswith("regularizer") and value for name, value in node.arguments.items())
    return named or node.type == "ActivityRegularization"


def _learns(node: Node | None, assembly: Assembly) -> bool:
    layer = assembly.layers.get(node.layer) if node else None
    return bool(getattr(layer, "trainable_weights", ()))

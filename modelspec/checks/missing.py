"""NaN in inputs: missing values, where the graph first replaces them."""

from modelspec.catalog.operation_facts import MOVES, TAKES_NAN, TELLS_NAN, plain_name
from modelspec.graph.graph import Graph, Node, Source
from modelspec.graph.operations import is_operation

_CARRIERS = {"Reshape", "Flatten", "Permute", "Identity", "Concatenate", "RepeatVector"}
"""Layers that keep NaN unchanged."""

_NO_CARRIERS = {"one_hot"}


def replaces_nan(graph: Graph, name: str) -> bool:
    """Return True where every path from an input starts with a layer that replaces NaN."""
    nodes = {node.name: node for node in graph.nodes}
    ends = {source.name for source in graph.outputs.values()}
    waiting, seen = [name], set[str]()
    used = False
    while waiting:
        at = waiting.pop()
        if at in ends:
            return False
        for node in graph.nodes:
            if not any(source.name == at for source in node.sources()):
                continue
            used = True
            if _replaces(node, at, nodes):
                continue
            if not _carries(node):
                return False
            if node.name not in seen:
                seen.add(node.name)
                waiting.append(node.name)
    return used


def _replaces(node: Node, tensor: str, nodes: dict[str, Node]) -> bool:
    name = plain_name(node.type)
    if not is_operation(node):
        return False
    if name != "where":
        return name in TAKES_NAN
    condition = nodes.get(_condition(node) or "")
    while condition is not None and condition.type == "ops.logical_not":
        condition = nodes.get(next((argument.name for argument in condition.sources()), ""))
    return (
        condition is not None
        and plain_name(condition.type) in TELLS_NAN
        and any(source.name == tensor for source in condition.sources())
    )


def _condition(node: Node) -> str | None:
    """Return the name of the tensor that is the condition of an ``ops.where``."""
    inputs = node.inputs.get("condition", node.inputs.get(None))
    condition = next(iter(inputs), None) if isinstance(inputs, tuple) else inputs
    return condition.name if isinstance(condition, Source) else None


def _carries(node: Node) -> bool:
    if not is_operation(node):
        return node.type in _CARRIERS
    name = plain_name(node.type)
    to_integers = name == "cast" and "float" not in str(node.arguments.get("dtype"))
    return name in MOVES and name not in _NO_CARRIERS and not to_integers

"""The last layer of an output, with its activation and width, from the graph alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelspec.catalog import Catalog
from modelspec.catalog.entries import item_family
from modelspec.catalog.losses import folded
from modelspec.catalog.operation_facts import plain_name
from modelspec.graph.graph import Graph, Node
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Route

_WIDTHS = {"Dense": "units"} | {
    name: "filters"
    for rank in "123"
    for name in (f"Conv{rank}D", f"SeparableConv{rank}D", f"Conv{rank}DTranspose")
}
_SAME_WIDTH = {"Activation", "Softmax", "Dropout", "Identity", "ActivityRegularization"}
PROBABILITIES = {"softmax", "sigmoid", "hardsigmoid", "sparsemax"}
NOT_PROBABILITIES = {"linear", "relu", "relu6", "tanh", "elu", "selu", "gelu", "silu", "leakyrelu"}


@dataclass(frozen=True, slots=True)
class LastLayer:
    """Facts about the values of an output; ``route`` is the place of the activation."""

    activation: str | None = None
    width: int | None = None
    route: Route = ()


def last_layers(graph: Graph, catalog: Catalog) -> dict[str, LastLayer]:
    """Return the last layer of each output."""
    nodes = {node.name: node for node in graph.nodes}
    return {
        output: last_layer(nodes.get(source.name) if source.index is None else None, nodes, catalog)
        for output, source in graph.outputs.items()
    }


def last_layer(node: Node | None, nodes: Mapping[str, Node], catalog: Catalog) -> LastLayer:
    """Follow an output back to the layer that computes it, past those that keep its width."""
    activation = "linear"
    route: Route = ()
    while node is not None:
        owner = nodes.get(node.layer, node)
        kind, arguments, place = owner.type, owner.arguments or {}, (*owner.route, owner.type)
        while kind == "TimeDistributed" and isinstance(arguments, Mapping):
            inner = Written.read(arguments.get("layer"), (*place, "layer"))
            if inner is None or inner.is_bare:
                break
            kind, place, arguments = inner.name, inner.route, inner.raw or {}
        if not isinstance(arguments, Mapping) or arguments.get("data_format") == "channels_first":
            return LastLayer()
        own = _activation(kind, arguments, catalog)
        if activation == "linear" and own != "linear":
            activation, route = own, (*place, "activation") if "activation" in arguments else place
        if kind in _WIDTHS:
            width = arguments.get(_WIDTHS[kind])
            return LastLayer(activation, width if type(width) is int else None, route or place)
        sources = list(node.sources())
        if (
            not (kind in _SAME_WIDTH or _is_activation(kind, catalog))
            or len(sources) != 1
            or sources[0].index is not None
        ):
            return LastLayer(activation if activation != "linear" else None, None, route)
        node = nodes.get(sources[0].name)
    return LastLayer(activation if activation != "linear" else None, None, route)


def _activation(kind: str, arguments: Mapping[Any, Any], catalog: Catalog) -> str:
    """Return the folded name of a layer's activation; empty where it is unknown."""
    if _is_activation(kind, catalog):
        return folded(plain_name(kind)) if not arguments else ""
    if kind in ("Softmax", "ReLU", "LeakyReLU", "ELU"):
        return kind.lower() if not arguments else ""
    value = arguments.get("activation", "linear")
    if value is None:
        return "linear"
    written = Written.read(value)
    entry = catalog.find("activation", written.name) if written else None
    return folded(entry.name) if entry else ""


def _is_activation(kind: str, catalog: Catalog) -> bool:
    """Return True where an item is the operation of an activation, such as ``ops.softmax``."""
    return item_family(kind) == "operation" and plain_name(kind) in catalog.names("activation")

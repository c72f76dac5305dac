"""Layers of a graph, and the outputs that depend on them."""

from collections.abc import Iterable

from modelspec.graph.graph import Graph


def outputs_of_layers(graph: Graph, outputs: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return for each layer, in the order of the calls, those of ``outputs`` that depend on it.

    A layer that is called several times counts once, for all of its calls.
    """
    reached: dict[str, set[str]] = {name: set() for name in graph.inputs}
    reached |= {node.name: set() for node in graph.nodes}
    for output in outputs:
        reached[graph.outputs[output].name].add(output)
    for node in reversed(graph.nodes):
        for source in node.sources():
            reached[source.name] |= reached[node.name]
    layers: dict[str, set[str]] = {}
    for node in graph.nodes:
        layers.setdefault(node.layer, set()).update(reached[node.name])
    return {name: frozenset(reached_outputs) for name, reached_outputs in layers.items()}

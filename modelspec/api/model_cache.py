"""Cached descriptions of a graph's model: its summary, and its weights by layer."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from modelspec.api.check_cache import graph_key
from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph
from modelspec.results.summary import LayerRow, Parameters, Summary, Tensor
from modelspec.results.weights import Layout, Weight
from modelspec.storage import cache


def remember_summary(
    graph: Graph, catalog: Catalog, precision: str, describe: Callable[[], Summary]
) -> Summary:
    """Return the summary of a graph's model at a precision, computed once."""
    name = graph_key(graph, catalog, precision)
    stored = cache.load("summaries", name)
    if stored is not None:
        return _summary(stored)
    summary = describe()
    cache.store("summaries", name, asdict(summary))
    return summary


def remember_layout(
    graph: Graph, catalog: Catalog, precision: str, describe: Callable[[], Layout]
) -> Layout:
    """Return the weights of a graph's model by layer, computed once."""
    name = graph_key(graph, catalog, precision)
    stored = cache.load("layouts", name)
    if stored is not None:
        return {layer: tuple(map(_weight, weights)) for layer, weights in stored.items()}
    layout = describe()
    cache.store("layouts", name, {key: [asdict(w) for w in ws] for key, ws in layout.items()})
    return layout


def _weight(stored: dict[str, Any]) -> Weight:
    return Weight(**(stored | {"shape": tuple(stored["shape"])}))


def _summary(stored: dict[str, Any]) -> Summary:
    return Summary(
        name=stored["name"],
        inputs=tuple(_tensor(tensor) for tensor in stored["inputs"]),
        layers=tuple(_layer(layer) for layer in stored["layers"]),
        outputs=tuple(_tensor(tensor) for tensor in stored["outputs"]),
        params=Parameters(**stored["params"]),
    )


def _tensor(stored: dict[str, Any]) -> Tensor:
    return Tensor(stored["name"], tuple(stored["shape"]), stored["dtype"])


def _layer(stored: dict[str, Any]) -> LayerRow:
    shape = stored["output_shape"]
    several = any(isinstance(part, list) for part in shape)
    shapes: Any = [tuple(part) for part in shape] if several else tuple(shape)
    return LayerRow(**(stored | {"output_shape": shapes, "sources": tuple(stored["sources"])}))

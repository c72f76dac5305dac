"""Cached results of Keras for a graph, so that an unchanged spec is checked without Keras."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic, Related, Route, Span
from modelspec.results.output import Output
from modelspec.results.summary import LayerRow, Parameters, Summary, Tensor
from modelspec.results.weights import Layout, Weight
from modelspec.storage import cache

ShapeCheck = tuple[dict[str, Output], list[Diagnostic]]


def remember_shapes(
    graph: Graph, catalog: Catalog, objects: str, judge: Callable[[], ShapeCheck]
) -> ShapeCheck:
    """Return the outputs and the problems of a graph, computed once.

    ``objects`` identifies everything else that was checked with the graph.
    """
    name = _name(graph, catalog, objects)
    stored = cache.load("shapes", name)
    if stored is not None:
        outputs = {key: _output(output) for key, output in stored["outputs"].items()}
        return outputs, [_diagnostic(problem) for problem in stored["problems"]]
    outputs, problems = judge()
    cache.store(
        "shapes",
        name,
        {
            "outputs": {key: asdict(output) for key, output in outputs.items()},
            "problems": [asdict(problem) for problem in problems],
        },
    )
    return outputs, problems


def remember_trial(
    catalog: Catalog, facts: str, judge: Callable[[], list[Diagnostic]]
) -> list[Diagnostic]:
    """Return the problems of losses and metrics on symbols; ``facts`` is all they depend on."""
    name = cache.key(facts, catalog.identity, cache.code_stamp())
    stored = cache.load("trials", name)
    if stored is not None:
        return [_diagnostic(problem) for problem in stored["problems"]]
    problems = judge()
    cache.store("trials", name, {"problems": [asdict(problem) for problem in problems]})
    return problems


def remember_summary(
    graph: Graph, catalog: Catalog, precision: str, describe: Callable[[], Summary]
) -> Summary:
    """Return the summary of a graph's model at a precision, computed once."""
    name = _name(graph, catalog, precision)
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
    name = _name(graph, catalog, precision)
    stored = cache.load("layouts", name)
    if stored is not None:
        return {layer: tuple(map(_weight, weights)) for layer, weights in stored.items()}
    layout = describe()
    cache.store("layouts", name, {key: [asdict(w) for w in ws] for key, ws in layout.items()})
    return layout


def _weight(stored: dict[str, Any]) -> Weight:
    return Weight(**(stored | {"shape": tuple(stored["shape"])}))


def _name(graph: Graph, catalog: Catalog, *more: str) -> str:
    """Return the key of a result: a hash of the graph, of Keras's version and of this code."""
    return cache.key(repr(graph), catalog.identity, cache.code_stamp(), *more)


def _diagnostic(stored: dict[str, Any]) -> Diagnostic:
    related = tuple(
        Related(other["message"], _route(other["route"]), other["anchor"], _span(other["span"]))
        for other in stored["related"]
    )
    placed = {"route": _route(stored["route"]), "span": _span(stored["span"]), "related": related}
    return Diagnostic(**(stored | placed))


def _route(stored: list[str | int]) -> Route:
    return tuple(stored)


def _span(stored: dict[str, int] | None) -> Span | None:
    return None if stored is None else Span(**stored)


def _output(stored: dict[str, Any]) -> Output:
    mask = stored["mask"]
    return Output(tuple(stored["shape"]), stored["dtype"], None if mask is None else tuple(mask))


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

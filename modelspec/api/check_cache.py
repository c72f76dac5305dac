"""Cached verdicts of Keras on a graph, so that an unchanged spec is checked without Keras."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic, Related, Route, Span
from modelspec.results.output import Output
from modelspec.storage import cache

ShapeCheck = tuple[dict[str, Output], list[Diagnostic]]


def remember_shapes(
    graph: Graph, catalog: Catalog, objects: str, judge: Callable[[], ShapeCheck]
) -> ShapeCheck:
    """Return the outputs and the problems of a graph, computed once.

    ``objects`` identifies everything else that was checked with the graph.
    """
    name = graph_key(graph, catalog, objects)
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


def graph_key(graph: Graph, catalog: Catalog, *more: str) -> str:
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

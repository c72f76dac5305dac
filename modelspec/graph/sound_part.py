"""The part of a graph without errors, which can be checked further."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from modelspec.graph.graph import Graph, Node
from modelspec.graph.references import holds_unknown
from modelspec.problems.diagnostic import Diagnostic, Route

_SHAPE, _MISMATCH = "wrong-shape", "shape-mismatch"


def is_touched(route: Route, problems: Iterable[Diagnostic]) -> bool:
    """Return True where an error has this route or one below it."""
    return any(
        problem.severity == "error" and problem.route[: len(route)] == route for problem in problems
    )


def sound_part(graph: Graph, problems: Sequence[Diagnostic]) -> Graph:
    """Return the graph with empty inputs for the nodes that have an error.

    Such a node, and every node that depends on it, is not called. The nodes stay in the graph,
    because layers are shared by name.
    """
    errors = [problem.route for problem in problems if problem.severity == "error"]
    if not errors:
        return graph
    touched = {route[:length] for route in errors for length in range(1, len(route) + 1)}
    inputs = {name for name, declared in graph.inputs.items() if declared.route in touched}
    nodes = tuple(
        replace(node, inputs={}) if _is_touched(node, touched, inputs) else node
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


def without_followers(
    graph: Graph, problems: Sequence[Diagnostic], of_data: Sequence[Diagnostic]
) -> list[Diagnostic]:
    """Leave out problems of shapes that follow from an input whose shape the data refutes."""
    wrong = {
        name
        for name, declared in graph.inputs.items()
        if is_touched(declared.route, [problem for problem in of_data if problem.code == _SHAPE])
    }
    routes = []
    for node in graph.nodes if wrong else ():
        if any(source.name in wrong for source in node.sources()):
            wrong.add(node.name)
            routes.append(node.route)
    return [
        problem
        for problem in problems
        if problem.code != _MISMATCH or not any(_is_below(problem.route, own) for own in routes)
    ]


def _is_below(route: Route, other: Route) -> bool:
    return route[: len(other)] == other


def _is_touched(node: Node, touched: set[Route], inputs: set[str]) -> bool:
    return (
        any(route in touched for route in (node.route, *node.within))
        or any(source.name in inputs for source in node.sources())
        or any(holds_unknown(part) for part in (node.arguments, node.options, node.call))
        or node.instead is not None
    )

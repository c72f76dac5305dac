"""Inputs and layers on which no output depends."""

from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic, Route


def warn_unused(graph: Graph) -> list[Diagnostic]:
    """Warn of inputs and layers on which no output depends, in any use of their block."""
    used = graph.used()
    used_routes = {
        route for node in graph.nodes if node.name in used for route in (*node.within, node.route)
    }
    unused: dict[Route, Diagnostic] = {}
    for node in graph.nodes:
        routes = (*node.within, node.route)
        level, route = next(
            ((level, route) for level, route in enumerate(routes) if route not in used_routes),
            (0, None),
        )
        if route is not None and route not in unused:
            name = ".".join(node.name.split(".")[: level + 1])
            message = f"no output depends on {name}"
            unused[route] = Diagnostic("unused-layer", message, route, "key", "warning")
    for name, declared in graph.inputs.items():
        if name not in used:
            message = f"no output depends on input {name}"
            unused[declared.route] = Diagnostic(
                "unused-input", message, declared.route, "key", "warning"
            )
    return list(unused.values())

"""The names of layers that a script sets; Keras generates the same names for the others."""

from modelspec.graph.graph import Graph
from modelspec.graph.naming import snake_case
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.expressions import has_expression


def chosen_names(valid: ValidSpec) -> set[str]:
    """Return the names of layers that the script sets: those of the user and of outputs."""
    own = {item.name for item in valid.spec.layers if item.name and not item.as_}
    computed = [item for item in valid.spec.layers if has_expression(item.name)]
    names = {node.name for node in valid.graph.nodes if "." not in node.name}
    outputs = {source.name for source in valid.graph.outputs.values()}
    repeated = {
        node.name
        for node in valid.graph.nodes
        for item in valid.spec.layers
        if item.name and node.name.startswith(f"{item.name}_")
    }
    every = names if computed else repeated & names
    auto = {
        node.name
        for node in valid.graph.nodes
        if _is_auto(node.name, node.type) and node.name not in own
    }
    return (own & names) | (outputs & names) | (every - auto)


def _is_auto(name: str, kind: str) -> bool:
    base = snake_case(kind)
    return name == base or (name.startswith(f"{base}_") and name[len(base) + 1 :].isdigit())


def clashes(graph: Graph, chosen: set[str]) -> bool:
    """Return True where Keras would generate a chosen name for a layer without a name."""
    kinds = {
        node.type.rpartition(".")[2]
        for node in graph.nodes
        if node.name not in chosen and node.layer == node.name
    }
    return any(_is_auto(name, kind) for name in chosen for kind in kinds)

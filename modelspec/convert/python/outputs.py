"""A value for each output, in the form in which the model has its outputs."""

from collections.abc import Mapping

from modelspec.convert.python.layout import Code, mapping, sequence, string
from modelspec.graph.graph import Graph
from modelspec.graph.operations import is_operation


def in_form(graph: Graph, values: Mapping[str, Code]) -> Code:
    """Return a value for each output in the form of the outputs."""
    if is_dict(graph):
        return mapping((string(name), code) for name, code in values.items())
    several = list(values.values())
    return sequence(several) if len(several) > 1 else several[0]


def is_dict(graph: Graph) -> bool:
    """Return True where the outputs are a dict, as in ``functional.make_functional``."""
    made = {node.name for node in graph.nodes if node.layer == node.name and not is_operation(node)}
    carried = all(
        source.index is None and source.name == name and name in made
        for name, source in graph.outputs.items()
    )
    return graph.form == "mapping" or not carried

"""Layers with ``adapt: true``: the lines of ``main`` that fit them to the training rows."""

from collections.abc import Iterator, Mapping

from modelspec.convert.python.arrays import Arrays
from modelspec.convert.python.layout import Code, lines, string
from modelspec.graph.graph import Node, Source
from modelspec.graph.valid_spec import ValidSpec
from modelspec.problems.errors import ModelError

_VOCABULARIES = frozenset({"StringLookup", "IntegerLookup", "TextVectorization"})


def fitting_lines(
    valid: ValidSpec, arrays: Arrays, names: Mapping[str, str] | None, rows: str | None
) -> Iterator[str]:
    """Yield lines that fit each layer to its inputs, in the order of the graph.

    Args:
        valid: The spec.
        arrays: The expressions for arrays.
        names: The names of the arrays in the training part.
        rows: The expression that selects the training rows; None for all.

    Raises:
        ModelError: A fitted layer is called several times.
    """
    graph = valid.graph
    used = graph.used()
    several = len(graph.inputs) > 1
    chosen = f"[{rows}]" if rows else ""
    trained = f"[array{chosen} for array in x]" if several and rows else f"x{chosen}"
    for node in graph.adapted:
        if node.name not in used:
            continue
        source = _source(valid, node)
        layer = f"model.get_layer({string(node.name).flat})"
        if source.index is None and source.name in graph.inputs:
            fitted = f"{arrays.of(source.name, names).flat}{chosen}"
            if node.type in _VOCABULARIES and not graph.inputs[source.name].shape:
                fitted = f"{fitted}[:, None]"
        else:
            yield f"    layer = {layer}"
            yield "    before = keras.Model(model.inputs, layer.input)"
            layer, fitted = "layer", f"before.predict({trained}, verbose=0)"
        yield from lines(Code(f"{layer}.adapt(", (Code(fitted),), ")"), 4)


def _source(valid: ValidSpec, node: Node) -> Source:
    if any(other.layer == node.name != other.name for other in valid.graph.nodes):
        raise ModelError(
            f"a script can fit only a layer that is called once, but {node.name} is called several "
            "times"
        )
    [source] = node.inputs.values()
    assert isinstance(source, Source)
    return source

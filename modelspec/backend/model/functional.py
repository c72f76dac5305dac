"""Tensors of an assembly → a Keras functional model whose operations have names of their own."""

from collections.abc import Iterable, Iterator
from typing import Any

import keras

from modelspec.backend.keras_private import call_that_made
from modelspec.backend.model.assembled import Assembly
from modelspec.graph.graph import Graph
from modelspec.graph.naming import AutoNames, snake_case


def make_functional(graph: Graph, assembly: Assembly) -> Any:
    """Return the functional model of a graph whose calls all succeeded.

    Its inputs have the spec's names in the spec's order. Its outputs have the form of the spec: a
    tensor for a name, a list for a list, a dict for a mapping; and also a dict where Keras would
    give an output another name than the spec does.
    """
    # A list even of one: Keras warns of inputs passed by name to a model of a single tensor.
    inputs = [assembly.values[name] for name in graph.inputs]
    outputs = _outputs(graph, assembly)
    _name_operations(keras.tree.flatten(outputs), assembly)
    return keras.Model(inputs, outputs, name=graph.name)


def _outputs(graph: Graph, assembly: Assembly) -> Any:
    tensors = {name: assembly.tensor(source) for name, source in graph.outputs.items()}
    carried = all(
        source.index is None and source.name == name and _makes(assembly, name)
        for name, source in graph.outputs.items()
    )
    if graph.form == "mapping" or not carried:
        return tensors
    return list(tensors.values()) if graph.form == "list" else next(iter(tensors.values()))


def _makes(assembly: Assembly, name: str) -> bool:
    """Return True where a layer of that name computes the tensor, so that Keras names it so."""
    return name in assembly.layers


def _name_operations(outputs: Iterable[Any], assembly: Assembly) -> None:
    """Name operations that are not layers differently from all layers.

    Layers that pass masks on call ``keras.ops`` on symbols, and Keras names each call by a counter
    of the process (``concatenate``, ``not_equal_1``) that ignores the names of our layers. A
    functional model accepts each name once. The names here depend on the graph alone.
    """
    names = AutoNames({*assembly.routes, *assembly.layers})
    named = {id(layer) for layer in assembly.layers.values()}
    for operation in _operations(outputs):
        if id(operation) not in named and not isinstance(operation, keras.Layer):
            operation.name = names.give(snake_case(type(operation).__name__), 0)


def _operations(tensors: Iterable[Any]) -> Iterator[Any]:
    """Yield every operation on the way to some tensors once, those nearest to them first."""
    seen: set[int] = set()
    waiting = list(tensors)
    while waiting:
        node = call_that_made(waiting.pop())
        operation = node.operation
        if id(node.node) in seen:
            continue
        seen.add(id(node.node))
        waiting.extend(node.inputs)
        if id(operation) not in seen:
            seen.add(id(operation))
            yield operation

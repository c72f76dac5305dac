"""Keras model → Summary."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from modelspec.backend.keras_private import GraphNode, call_that_made, calls_of, graph_nodes
from modelspec.backend.model.model_io import output_names
from modelspec.backend.model.operations import operation_name
from modelspec.results.summary import LayerRow, Parameters, Shape, Summary, Tensor


def describe(model: Any) -> Summary:
    """Everything that a summary shows, but the lines of a spec."""
    nodes = {id(node.node) for node in graph_nodes(model)}
    return Summary(
        name=model.name,
        inputs=tuple(_tensor(tensor.name, tensor) for tensor in model.inputs),
        layers=tuple(_row(operation, nodes) for operation in _shown(model)),
        outputs=tuple(
            _tensor(name, tensor)
            for name, tensor in zip(output_names(model), model.outputs, strict=True)
        ),
        params=Parameters(
            total=_count(model.weights),
            trainable=_count(model.trainable_weights),
            non_trainable=_count(model.non_trainable_weights),
            bytes=sum(
                math.prod(weight.shape) * _itemsize(weight.dtype) for weight in model.weights
            ),
        ),
    )


def _shown(model: Any) -> Iterator[Any]:
    """The layers and the operations of a model, without operations that only compute masks."""
    called: dict[str, list[GraphNode]] = {}
    for node in graph_nodes(model):
        called.setdefault(node.operation.name, []).append(node)
    waiting = [call_that_made(tensor).operation for tensor in model.outputs]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop().name
        if name not in reached:
            reached.add(name)
            waiting.extend(source for node in called.get(name, ()) for source in _sources(node))
    for operation in model.operations:
        if isinstance(operation, keras.Layer) or operation.name in reached:
            yield operation


def _row(layer: Any, nodes: set[int]) -> LayerRow:
    sources = dict.fromkeys(
        source.name
        for node in calls_of(layer)
        if id(node.node) in nodes
        for source in _sources(node)
    )
    tensors = keras.tree.flatten(layer.output)
    shapes = [_shape(tensor) for tensor in tensors]
    return LayerRow(
        name=layer.name,
        type=operation_name(layer) or type(layer).__name__,
        output_shape=shapes[0] if len(shapes) == 1 else shapes,
        dtype=str(getattr(layer, "dtype", tensors[0].dtype)),
        params=_count(getattr(layer, "weights", ())),
        trainable_params=_count(getattr(layer, "trainable_weights", ())),
        sources=tuple(sources),
    )


def _sources(node: GraphNode) -> Iterator[Any]:
    """What a call takes tensors from, without operations that only compute its masks."""
    masks = {
        id(tensor)
        for name, given in node.kwargs.items()
        if name.endswith("mask")
        for tensor in keras.tree.flatten(given)
    }
    for tensor, source in zip(node.inputs, node.sources, strict=True):
        if id(tensor) not in masks or isinstance(source, keras.Layer):
            yield source


def _tensor(name: str, tensor: Any) -> Tensor:
    return Tensor(name, _shape(tensor), str(keras.backend.standardize_dtype(tensor.dtype)))


def _shape(tensor: Any) -> Shape:
    return tuple(tensor.shape)


def _count(weights: Iterable[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _itemsize(dtype: Any) -> int:
    name = str(keras.backend.standardize_dtype(dtype))
    digits = "".join(filter(str.isdigit, name))
    return int(digits) // 8 if digits else 1

"""A Keras model → its Summary."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from modelspec.backend.model.model_io import output_names
from modelspec.results.summary import LayerRow, Parameters, Shape, Summary, Tensor


def describe(model: Any) -> Summary:
    """Everything that a summary shows, but the lines of a spec."""
    nodes = {id(node) for level in model._nodes_by_depth.values() for node in level}  # noqa: SLF001
    return Summary(
        name=model.name,
        inputs=tuple(_tensor(tensor.name, tensor) for tensor in model.inputs),
        layers=tuple(_row(layer, nodes) for layer in model.layers),
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


def _row(layer: Any, nodes: set[int]) -> LayerRow:
    sources = dict.fromkeys(
        parent.operation.name
        for node in layer._inbound_nodes  # noqa: SLF001 - as Keras's own summary reads them
        if id(node) in nodes
        for parent in _parents(node)
    )
    shapes = [_shape(tensor) for tensor in keras.tree.flatten(layer.output)]
    return LayerRow(
        name=layer.name,
        type=type(layer).__name__,
        output_shape=shapes[0] if len(shapes) == 1 else shapes,
        dtype=str(layer.dtype),
        params=_count(layer.weights),
        trainable_params=_count(layer.trainable_weights),
        sources=tuple(sources),
    )


def _parents(node: Any) -> Iterator[Any]:
    """The nodes that a call takes tensors from, without operations that only compute its masks."""
    masks = {
        id(tensor)
        for name, given in node.arguments.kwargs.items()
        if name.endswith("mask")
        for tensor in keras.tree.flatten(given)
    }
    for tensor, parent in zip(node.input_tensors, node.parent_nodes, strict=True):
        if id(tensor) not in masks or isinstance(parent.operation, keras.Layer):
            yield parent


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

"""Keras model → Summary."""

import math
from collections.abc import Iterable
from typing import Any

import keras

from modelspec.backend.keras_private import calls_of, graph_nodes
from modelspec.backend.model.model_io import output_names
from modelspec.backend.model.operations import operation_name, operations_of, sources_of
from modelspec.results.summary import LayerRow, Parameters, Shape, Summary, Tensor


def describe(model: Any) -> Summary:
    """Everything that a summary shows, but the lines of a spec."""
    nodes = {id(node.node) for node in graph_nodes(model)}
    computing = {id(operation) for operation in operations_of(model)}
    return Summary(
        name=model.name,
        inputs=tuple(_tensor(tensor.name, tensor) for tensor in model.inputs),
        layers=tuple(
            _row(operation, nodes)
            for operation in model.operations
            if isinstance(operation, keras.Layer) or id(operation) in computing
        ),
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
        source.name
        for node in calls_of(layer)
        if id(node.node) in nodes
        for source in sources_of(node)
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

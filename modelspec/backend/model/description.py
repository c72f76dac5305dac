"""Keras model → Summary."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import keras

from modelspec.backend.keras_private import as_functional, calls_of, graph_nodes
from modelspec.backend.model.model_io import output_names
from modelspec.backend.model.operations import operation_name, operations_of, sources_of
from modelspec.results.shape import Shape
from modelspec.results.summary import LayerRow, Parameters, Summary, Tensor


def describe(
    model: Any, types: Mapping[str, str] = MappingProxyType({}), *, nested: bool = False
) -> Summary:
    """Return all facts for a summary, except the lines of a spec.

    ``types`` are the spec's names for its layers, which are shown for layers that are models. With
    ``nested``, the layers inside of such models follow them.
    """
    return Summary(
        name=model.name,
        inputs=tuple(_tensor(tensor.name, tensor) for tensor in model.inputs),
        layers=tuple(_rows(model, "", types, nested=nested)),
        outputs=tuple(
            _tensor(name, tensor)
            for name, tensor in zip(output_names(model), model.outputs, strict=True)
        ),
        params=Parameters(
            total=_count(model.weights),
            trainable=_count(model.trainable_weights),
            non_trainable=_count(model.non_trainable_weights),
            bytes=weight_bytes(model.weights),
        ),
    )


def _rows(model: Any, prefix: str, types: Mapping[str, str], *, nested: bool) -> Iterator[LayerRow]:
    nodes = {id(node.node) for node in graph_nodes(model)}
    computing = {id(operation) for operation in operations_of(model)}
    for operation in model.operations:
        if not isinstance(operation, keras.Layer) and id(operation) not in computing:
            continue
        row = _row(operation, nodes)
        inside = as_functional(operation)
        if inside is not None:
            row = replace(row, type=types.get(row.name, row.type))
        sources = tuple(f"{prefix}{source}" for source in row.sources)
        yield replace(row, name=f"{prefix}{row.name}", sources=sources)
        if nested and inside is not None:
            yield from _rows(inside, f"{prefix}{operation.name}.", {}, nested=nested)


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


def weight_bytes(weights: Iterable[Any]) -> int:
    """Return the size of weights, whether they have values or not."""
    return sum(math.prod(weight.shape) * _itemsize(weight.dtype) for weight in weights)


def _itemsize(dtype: Any) -> int:
    name = str(keras.backend.standardize_dtype(dtype))
    digits = "".join(filter(str.isdigit, name))
    return int(digits) // 8 if digits else 1

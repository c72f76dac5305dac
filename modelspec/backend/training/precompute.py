"""Frozen beginnings of a model, computed once for each row instead of in every epoch.

What comes before every trained weight, every random layer and every state that training changes
has the same values in all epochs. They take the place of the model's inputs while it trains; the
model itself stays whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.keras_private import (
    GraphNode,
    all_layers,
    as_functional,
    graph_nodes,
    mask_of,
    takes_training,
)

_EPOCHS = 3
"""Epochs from which the values pay for the pass that computes them."""

_RATES = ("dropout", "recurrent_dropout")
_CHANGES = (keras.layers.BatchNormalization, keras.layers.SpectralNormalization)
"""Layers that change their state in training; a frozen BatchNormalization does not."""

_LOOKUPS = (
    keras.layers.HashedCrossing,
    keras.layers.Hashing,
    keras.layers.IntegerLookup,
    keras.layers.StringLookup,
    keras.layers.TextVectorization,
)
"""Layers whose tables and texts take longer than most of what follows them."""

_DTYPES = ("float16", "float32", "float64", "int32", "int64", "int8", "uint8", "bool")


@dataclass(frozen=True, slots=True)
class _Named:
    """What stands for an input of the rest of a model."""

    name: str
    dtype: str


class Rest:
    """A model that goes on from the results of its beginning; all else is the model's own."""

    def __init__(self, model: Any, tensors: Sequence[Any], nodes: Sequence[GraphNode]) -> None:
        self._model, self.tensors, self._nodes = model, tensors, nodes
        self.inputs = [_Named(f"value_{index}", _dtype(t)) for index, t in enumerate(tensors)]

    def __call__(self, inputs: Any, *, training: bool | None = None) -> Any:
        values = dict(zip(map(id, self.tensors), keras.tree.flatten(inputs), strict=True))
        _run(self._nodes, values, training=training)
        return keras.tree.map_structure(lambda tensor: values[id(tensor)], self._model.output)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


@dataclass(frozen=True, slots=True)
class Parts:
    """A model in two, which share its layers.

    ``tensors`` are what the beginning gives to the rest. ``costly`` says whether the beginning has
    weights, or looks up text.
    """

    model: Any
    layers: Sequence[Any]
    nodes: Sequence[GraphNode]
    tensors: Sequence[Any]
    rest: Rest
    costly: bool

    def beginning(self, inputs: Any) -> list[Any]:
        values = {
            id(symbol): _as_declared(tensor, symbol)
            for symbol, tensor in zip(self.model.inputs, keras.tree.flatten(inputs), strict=True)
        }
        _run(self.nodes, values, training=False)
        return [values[id(tensor)] for tensor in self.tensors]


def _as_declared(tensor: Any, symbol: Any) -> Any:
    """An input as Keras hands it to the graph: its dtype, a last axis of 1 added or dropped."""
    if tensor.dtype != tf.string:
        tensor = tf.cast(tensor, symbol.dtype)
    rank, declared = len(tensor.shape), len(symbol.shape)
    if rank + 1 == declared and symbol.shape[-1] == 1:
        return tensor[..., None]
    return tensor[..., 0] if rank == declared + 1 and tensor.shape[-1] == 1 else tensor


def _run(nodes: Sequence[GraphNode], values: dict[int, Any], *, training: bool | None) -> None:
    """Call operations in order, as Keras's functional models do."""
    for node in nodes:
        args, kwargs = node.fill_in(values)
        if training is not None and takes_training(node.operation):
            kwargs["training"] = training
        results = keras.tree.flatten(node.operation(*args, **kwargs))
        values.update(zip(map(id, node.outputs), results, strict=True))


def split(model: Any) -> Parts | None:
    """The largest frozen beginning of a model; None where there is none."""
    if any(map(_adds_loss, all_layers(model))):
        return None
    fixed = {id(tensor): tensor for tensor in model.inputs}
    inside: list[GraphNode] = []
    after: list[GraphNode] = []
    for node in graph_nodes(model):
        if node.is_input:
            continue
        known = all(id(tensor) in fixed for tensor in node.inputs)
        if known and _is_fixed(node.operation) and _stays_inside(model, node):
            fixed |= {id(tensor): tensor for tensor in node.outputs}
            inside.append(node)
        else:
            after.append(node)
    layers = [node.operation for node in inside if isinstance(node.operation, keras.Layer)]
    used = {id(t): t for node in after for t in node.inputs if id(t) in fixed}
    tensors = list(used.values())
    if not layers or not tensors or any(id(tensor) in fixed for tensor in model.outputs):
        return None
    if any(_masked(tensor) or _dtype(tensor) not in _DTYPES for tensor in tensors):
        return None
    costly = any(layer.weights or isinstance(layer, _LOOKUPS) for layer in layers)
    return Parts(model, layers, inside, tensors, Rest(model, tensors, after), costly)


def pays(model: Any, epochs: int) -> bool:
    """What ``auto`` decides, by the graph and the number of epochs alone."""
    parts = split(model) if epochs >= _EPOCHS else None
    return parts is not None and parts.costly


def _masked(tensor: Any) -> bool:
    return mask_of(tensor) is not None


def _stays_inside(model: Any, node: Any) -> bool:
    """Whether no mask leaves the beginning: what stands for an input has none."""
    if not any(map(_masked, node.outputs)):
        return True
    made = {id(tensor) for tensor in node.outputs}
    takers = [taker for taker in graph_nodes(model) if made & {id(t) for t in taker.inputs}]
    return all(_is_fixed(taker.operation) for taker in takers)


def _dtype(tensor: Any) -> str:
    return str(keras.backend.standardize_dtype(tensor.dtype))


def _is_fixed(operation: Any) -> bool:
    """Whether an operation gives the same result for a row in every epoch."""
    if not isinstance(operation, keras.Layer):
        return True
    inside = all_layers(operation) if as_functional(operation) is not None else []
    layers = [operation, *inside, *_wrapped(operation)]
    return not operation.trainable_weights and all(map(_is_constant, layers))


def _wrapped(layer: Any) -> Iterator[Any]:
    for inner in getattr(layer, "_layers", ()):
        if isinstance(inner, keras.Layer):
            yield inner
            yield from _wrapped(inner)


def _is_constant(layer: Any) -> bool:
    if _is_random(layer):
        return False
    changing = isinstance(layer, _CHANGES) and (
        layer.trainable or isinstance(layer, keras.layers.SpectralNormalization)
    )
    return not (changing or getattr(layer, "stateful", False))


def _is_random(layer: Any) -> bool:
    """Whether a layer draws numbers; recurrent cells hold a generator without dropout too."""
    if not any(isinstance(value, keras.random.SeedGenerator) for value in vars(layer).values()):
        return False
    values = (getattr(layer, name, None) for name in _RATES)
    rates = [rate for rate in values if isinstance(rate, int | float)]
    return not rates or any(rates)


def _adds_loss(layer: Any) -> bool:
    """Whether a layer adds to the loss, which a call of its own would not keep."""
    regularized = getattr(layer, "activity_regularizer", None) is not None
    return regularized or isinstance(layer, keras.layers.ActivityRegularization)

"""The calls of a model whose result for a row is the same in every epoch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from modelspec.backend.keras_private import GraphNode, all_layers, as_functional, graph_nodes

_RATES = ("dropout", "recurrent_dropout")
_CHANGES = (keras.layers.BatchNormalization, keras.layers.SpectralNormalization)
"""Layers that change their state in training; a frozen BatchNormalization does not."""

_KNOWN = ("keras", "modelspec")
"""Packages whose layers show by their attributes whether they draw numbers or add to the loss."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an operation in a model, or tensors that enter or leave a nested model.

    ``node`` is None where tensors only change their names.
    """

    inputs: Sequence[Any]
    outputs: Sequence[Any]
    node: GraphNode | None = None

    @property
    def operation(self) -> Any:
        return None if self.node is None else self.node.operation


def calls_in(model: Any, closed: Callable[[Any], bool] = lambda _: False) -> list[Call]:
    """Return a functional model's calls in order, with those of nested models unless closed."""
    return list(_calls_in(model, closed, set()))


def _calls_in(model: Any, closed: Callable[[Any], bool], opened: set[int]) -> Iterator[Call]:
    for node in graph_nodes(model):
        if node.is_input:
            continue
        inner = None if closed(node.operation) else as_functional(node.operation)
        tensors = None if inner is None else taken_by(node, inner)
        # The tensors inside a model have values for one call only.
        if inner is None or tensors is None or id(inner) in opened:
            yield Call(node.inputs, node.outputs, node)
        else:
            opened.add(id(inner))
            yield Call(tensors, inner.inputs)
            yield from _calls_in(inner, closed, opened)
            yield Call(inner.outputs, node.outputs)


def taken_by(node: GraphNode, inner: Any) -> list[Any] | None:
    """Return the tensors that a call passes to a model's inputs; None where Keras changes them."""
    args, _ = node.fill_in({id(tensor): tensor for tensor in node.inputs})
    if len(args) != 1 or isinstance(args[0], dict) or type(inner).__module__[:6] != "keras.":
        return None
    tensors = keras.tree.flatten(args[0])
    kinds = [[(len(t.shape), t.dtype) for t in side] for side in (tensors, inner.inputs)]
    return tensors if kinds[0] == kinds[1] else None


def is_fixed(operation: Any) -> bool:
    """Return True where an operation returns the same result for a row in every epoch."""
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
    if _is_random(layer) or _adds_loss(layer) or type(layer).__module__.split(".")[0] not in _KNOWN:
        return False
    changing = isinstance(layer, _CHANGES) and (
        layer.trainable or isinstance(layer, keras.layers.SpectralNormalization)
    )
    return not (changing or getattr(layer, "stateful", False))


def _is_random(layer: Any) -> bool:
    """Return True where a layer draws numbers; recurrent cells always have a generator."""
    if not any(isinstance(value, keras.random.SeedGenerator) for value in vars(layer).values()):
        return False
    values = (getattr(layer, name, None) for name in _RATES)
    rates = [rate for rate in values if isinstance(rate, int | float)]
    return not rates or any(rates)


def _adds_loss(layer: Any) -> bool:
    """Return True where a layer adds to the loss, which must be added in every epoch."""
    regularized = getattr(layer, "activity_regularizer", None) is not None
    return regularized or isinstance(layer, keras.layers.ActivityRegularization)

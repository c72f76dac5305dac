"""Recurrent layers in an export: the steps of their loops, and unrolling them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from modelspec.backend.keras_private import all_layers, graph_nodes


def steps_of_loops(model: Any) -> tuple[int | None, ...]:
    """Return the number of steps of each call of a recurrent layer; None where it is unknown."""
    return tuple(
        node.inputs[0].shape[1]
        for node in graph_nodes(model)
        if not node.is_input and _recurrent(node.operation)
    )


@contextmanager
def unrolled(model: Any) -> Iterator[None]:
    """Unroll recurrent layers: they compute their steps one after another, without a loop."""
    layers = [layer for layer in _recurrent(model) if not layer.unroll]
    for layer in layers:
        layer.unroll = True
    try:
        yield
    finally:
        for layer in layers:
            layer.unroll = False


def _recurrent(layer: Any) -> list[Any]:
    """Return the recurrent layers among a layer and the layers inside of it."""
    if isinstance(layer, keras.layers.RNN):
        return [layer]
    return (
        [inner for inner in all_layers(layer) if isinstance(inner, keras.layers.RNN)]
        if isinstance(layer, keras.Layer)
        else []
    )

"""Gradients of the outputs' losses with respect to shared layers."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from modelspec.graph.graph import Graph
from modelspec.graph.shared_layers import outputs_of_layers


def weighted_layers(model: Any, graph: Graph, outputs: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the layers with trainable weights, in order of the calls, with their outputs."""
    return {
        name: served
        for name, served in outputs_of_layers(graph, outputs).items()
        if served and model.get_layer(name).trainable_variables
    }


def shared_variables(model: Any, graph: Graph, outputs: Sequence[str]) -> list[Any]:
    """Return the weights of all layers on which more than one of ``outputs`` depends."""
    layers = weighted_layers(model, graph, outputs)
    return [
        variable
        for name, served in layers.items()
        if len(served) > 1
        for variable in model.get_layer(name).trainable_variables
    ]


def common_layer(model: Any, graph: Graph, outputs: Sequence[str]) -> Any:
    """Return the last layer with weights on which all ``outputs`` depend; None if there is none."""
    layers = weighted_layers(model, graph, outputs)
    common = [name for name, served in layers.items() if served.issuperset(outputs)]
    return model.get_layer(common[-1]) if common else None


def gradient_of(tape: Any, losses: Any, head: int, variables: Sequence[Any], scale: Any) -> Any:
    """Return the gradient of one of a vector of losses: a float32 tensor for each variable.

    It is computed ``scale`` times as large, against underflow in float16, and returned unscaled.
    """
    gradients = tape.gradient(
        losses,
        variables,
        output_gradients=scale * tf.one_hot(head, losses.shape[0]),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return [tf.cast(tf.convert_to_tensor(gradient), tf.float32) / scale for gradient in gradients]


def product(one: Sequence[Any], other: Sequence[Any]) -> Any:
    """Return the scalar product of two gradients."""
    return tf.add_n([tf.reduce_sum(a * b) for a, b in zip(one, other, strict=True)])

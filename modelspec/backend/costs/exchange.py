"""The communication of several workers in a step: the sums and gathers of ``backend/workers``.

A strategy for loss weights adds sums of its own, which are not counted.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from modelspec.backend.costs.layer_calls import Call
from modelspec.backend.keras_private import all_layers, mask_of
from modelspec.backend.model.sizes import bytes_of, itemsize
from modelspec.results.costs import Exchange

_INDEX, _MASK = 4, 4
"""The bytes of an index in an Embedding's gradient, and of an element of a mask."""

_STATISTIC = 8
"""The bytes of a statistic of a worker's own rows, which is averaged in float64."""

_SUMS_OF_MOMENTS = 5
"""The sums of a layer: the number of elements, mean and variance, and two gradients."""


def exchange(model: Any, calls: Sequence[Call], results: Iterable[Any]) -> Exchange:
    """Count what the workers exchange for a step of a model with these calls and results."""
    sliced = _sliced(calls)
    dense = [weight for weight in model.trainable_weights if id(weight) not in sliced]
    summed, sums = bytes_of(dense), len({weight.dtype for weight in dense})
    statistics, operations = _batch_statistics(model, calls)
    gathered, gathers = _outputs(results)
    return Exchange(
        summed=summed + statistics,
        gathered_per_sample=gathered + sum(sliced.values()),
        sums=sums + operations,
        gathers=gathers + 2 * len(sliced),
    )


def _sliced(calls: Iterable[Call]) -> dict[int, int]:
    """Return the bytes for one row of the weights whose gradients are slices, by identity."""
    sizes: dict[int, int] = {}
    for call in calls:
        if type(call.layer) is not keras.layers.Embedding or not call.layer.trainable:
            continue
        weight = call.layer.trainable_weights[0]
        if weight.regularizer is None:  # a regularizer makes the gradient dense
            slices = math.prod(call.input)
            width = call.layer.output_dim * itemsize(weight.dtype)
            sizes[id(weight)] = sizes.get(id(weight), 0) + slices * (width + _INDEX)
    return sizes


def _batch_statistics(model: Any, calls: Iterable[Call]) -> tuple[int, int]:
    """Return the bytes and the number of sums for layers that normalize a batch."""
    total, sums = 0, 0
    normalizing = keras.layers.BatchNormalization
    for call in calls:
        layer = call.layer
        if isinstance(layer, normalizing) and layer.synchronized and layer.trainable:
            moments = bytes_of([layer.moving_mean, layer.moving_variance])
            total, sums = total + 2 * moments + 4, sums + _SUMS_OF_MOMENTS
    own = sum(
        math.prod(variable.shape)
        for layer in all_layers(model)
        if isinstance(layer, normalizing) and layer.trainable and not layer.synchronized
        for variable in layer.non_trainable_variables
    )
    return total + _STATISTIC * own, sums + bool(own)


def _outputs(results: Iterable[Any]) -> tuple[int, int]:
    """Return the bytes of the outputs and masks for one row, and the number of their gathers."""
    total, gathers = 0, 0
    for output in results:
        shape = output.shape[1:]
        total, gathers = total + math.prod(shape) * itemsize(output.dtype), gathers + 1
        if mask_of(output) is not None:
            total, gathers = total + _MASK * math.prod(shape[:-1]), gathers + 1
    return total, gathers

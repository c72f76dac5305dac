"""The values of a frozen beginning for all rows, in memory or in a file of the cache folder."""

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelspec.backend.keras_private import as_functional
from modelspec.backend.model.description import weight_bytes
from modelspec.backend.model.model_io import input_arrays
from modelspec.backend.training.batch_source import RESIDENT_BYTES
from modelspec.backend.training.fixed_calls import calls_in
from modelspec.backend.training.precompute import Parts
from modelspec.data.batches import Batches
from modelspec.data.concatenated import Array
from modelspec.problems.units import size
from modelspec.storage import cache

_LARGEST = 4 * 2**20
"""The values in the largest result of the beginning; more do not fit into a processor's caches."""

_CONSTANT_BYTES = 64 * 2**20
"""The weights that a graph may contain: TensorFlow copies them several times, up to 2 GB."""

_MOST_ROWS = 512
_UNKNOWN = 64


def precomputed(
    parts: Parts, batches: Batches, say: Callable[[str], None], stopped: Callable[[], bool]
) -> Batches:
    """Return the same rows with the values of the beginning in place of the inputs.

    Values up to the limit of rows in memory stay there; more are in a file of the cache folder that
    is deleted when the process ends.

    Raises:
        KeyboardInterrupt: A stop was requested.
        OSError: The disk has no room for the file.
    """
    names = [tensor.name for tensor in parts.rest.inputs]
    dtypes = {tensor.name: tensor.dtype for tensor in parts.rest.inputs}
    forward = tf.function(with_constants(parts), autograph=False)
    whole = replace(batches, rows=np.arange(batches.dataset.samples))
    arrays: dict[str, Array] = {}
    rows = _rows(parts, whole.samples)
    for start in range(0, whole.samples, rows):
        if stopped():
            raise KeyboardInterrupt
        wanted = np.arange(start, min(start + rows, whole.samples))
        # Always the same number of rows: the sums of a short batch may differ in their last bits.
        inputs = input_arrays(parts.model, whole.gather(np.resize(wanted, rows)))
        results = forward(tf.nest.map_structure(tf.convert_to_tensor, inputs))
        values = [np.asarray(result)[: len(wanted)] for result in results]
        if not arrays:
            arrays = dict(zip(names, _room(values, whole.samples, say), strict=True))
        for array, value in zip(arrays.values(), values, strict=True):
            array[start : start + len(wanted)] = value
    dataset = replace(batches.dataset, inputs=arrays)
    return replace(batches, dataset=dataset, dtypes=dtypes)


def with_constants(parts: Parts) -> Callable[[Any], Any]:
    """Return the beginning with its weights as constants, if they are small enough.

    TensorFlow then multiplies the scale of a normalization into the weights of the convolution
    before it, once: MobileNetV2 takes a third less time. The sums differ in their last bits.
    """
    variables = {id(part): part for layer in parts.layers for part in layer.variables}.values()
    if weight_bytes(variables) > _CONSTANT_BYTES:
        return parts.beginning
    values = [keras.ops.convert_to_numpy(part) for part in variables]

    def beginning(inputs: Any) -> list[Any]:
        constants = [
            (part, tf.constant(value)) for part, value in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(state_mapping=constants):
            return parts.beginning(inputs)

    return beginning


def _rows(parts: Parts, samples: int) -> int:
    """Return the rows of a call, from shapes alone, so that a resumed run computes the same."""
    widest = max(map(_numbers, _results(parts)))
    most = max(1, min(_MOST_ROWS, samples, _LARGEST // max(widest, 1)))
    # Equal parts, so that the last one is nearly full.
    return -(-samples // -(-samples // most))


def _results(parts: Parts) -> Iterator[Any]:
    """Yield the results of the beginning's operations, and of those in nested models."""
    for call in parts.calls:
        yield from call.outputs
        if (inner := as_functional(call.operation)) is not None:
            yield from (tensor for inside in calls_in(inner) for tensor in inside.outputs)


def _numbers(tensor: Any) -> int:
    return math.prod(_UNKNOWN if axis is None else axis for axis in tensor.shape[1:])


def _room(values: list[Array], rows: int, say: Callable[[str], None]) -> list[Array]:
    shapes = [(rows, *value.shape[1:]) for value in values]
    needed = sum(rows * value[:1].nbytes for value in values)
    if needed <= RESIDENT_BYTES:
        return [np.empty(shape, value.dtype) for shape, value in zip(shapes, values, strict=True)]
    folder = cache.folder("precomputed")
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < needed:
        raise OSError(28, "no room for precomputed values: training.precompute: false", str(folder))
    say(
        f"the values of the frozen layers ({size(needed)}) are in a file in {folder} "
        "during training"
    )
    arrays: list[Array] = []
    for shape, value in zip(shapes, values, strict=True):
        # The file has no name any more, so that it is gone with the process, however that ends.
        with tempfile.TemporaryFile(dir=folder) as file:
            arrays.append(np.memmap(file, value.dtype, "w+", shape=shape))
    return arrays

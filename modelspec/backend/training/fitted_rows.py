"""The values that layers are fitted to, for all training rows: one array, or parts of some rows."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelspec.backend.keras_private import call_that_made
from modelspec.backend.training.batch_source import CHUNK_BYTES, RESIDENT_BYTES
from modelspec.data.batches import Batches
from modelspec.data.concatenated import Array, Rows


def array_for(tensors: Sequence[Any], batches: Batches, dtype: Any = None) -> Array | None:
    """Return an empty array for the values of symbolic tensors; None if memory is too small.

    Without ``dtype``, it has that of the values.
    """
    firsts = [next(pieces_of(tensor, batches)) for tensor in tensors]
    dtype = np.dtype(dtype or np.result_type(*firsts))
    shape = (len(tensors) * batches.samples, *firsts[0].shape[1:])
    small = math.prod(shape) * dtype.itemsize <= RESIDENT_BYTES
    return np.empty(shape, dtype) if small else None


def fill(array: Array, pieces: Iterator[Array]) -> None:
    """Copy parts into an array one after the other, so that no value is in memory twice."""
    start = 0
    for piece in pieces:
        array[start : start + len(piece)] = piece
        start += len(piece)


def pieces_of(tensor: Any, batches: Batches) -> Iterator[Array]:
    """Yield the values of a symbolic tensor for all rows, some rows at a time, in order."""
    inputs = [source for source in _inputs(tensor) if source.name in batches.dataset.inputs]
    function = None if inputs[0] is tensor else keras.Function(inputs, tensor)
    arrays = batches.dataset.inputs
    row = sum(arrays[source.name].nbytes // max(len(arrays[source.name]), 1) for source in inputs)
    step = max(1, CHUNK_BYTES // max(row, 1))
    for start in range(0, batches.samples, step):
        positions = np.arange(start, min(start + step, batches.samples), dtype=np.int64)
        if function is None:
            yield _shaped(_stored(tensor.name, batches, positions), tensor)
        else:
            batch = batches.gather(positions)
            tensors = [
                tf.convert_to_tensor(_shaped(batch.inputs[source.name], source))
                for source in inputs
            ]
            yield np.asarray(function(tensors))


def _inputs(tensor: Any) -> list[Any]:
    """Return the inputs of the model on which a tensor depends."""
    inputs: dict[int, Any] = {}
    waiting, seen = [tensor], set()
    while waiting:
        current = waiting.pop()
        node = call_that_made(current)
        if node.is_input:
            inputs[id(current)] = current
        elif id(node.node) not in seen:
            seen.add(id(node.node))
            waiting.extend(node.inputs)
    return list(inputs.values())


def _stored(name: str, batches: Batches, positions: Rows) -> Array:
    """Return rows of an input as the file has them, because plain Keras is fitted to these, too."""
    array = batches.dataset.inputs[name]
    if array.dtype.kind == "f" and array.dtype.itemsize < np.dtype(np.float32).itemsize:
        return batches.gather(positions).inputs[name]
    return array[batches.rows[positions]]


def _shaped(array: Array, tensor: Any) -> Array:
    """Add or drop a last axis of 1, as the input declares it."""
    rank = len(tensor.shape)
    if array.ndim == rank - 1:
        return array[..., None]
    return array[..., 0] if array.ndim == rank + 1 else array


def as_documents(piece: Array) -> Array:
    """Return one document for each row; Keras would read a flat array as one document."""
    return piece[:, None] if piece.ndim == 1 else piece


def stream(pieces: Iterator[Array]) -> Any:
    """Return the parts as a ``tf.data`` dataset, or an iterator of vectors, for one pass."""
    first = next(pieces, None)
    if first is None:  # a stop was requested
        raise StopIteration
    text = first.dtype.kind in "OSU"

    def again() -> Iterator[Any]:
        yield tf.convert_to_tensor(first)
        yield from map(tf.convert_to_tensor, pieces)

    if first.ndim == 1:  # Keras would batch a dataset of vectors again
        return again()
    kind = tf.string if text else tf.as_dtype(first.dtype)
    signature = tf.TensorSpec([None, *first.shape[1:]], kind)
    return tf.data.Dataset.from_generator(again, output_signature=signature)

"""The dense gradient of an Embedding: a faster sum of the gradients of its rows, with equal bits.

TensorFlow returns the gradient of an Embedding as rows with indices, among which an index can occur
several times. Most of Keras's optimizers convert them to a dense tensor. TensorFlow's sum of
segments calls a function for each row. Its product of a sparse matrix and narrow rows is a plain
loop, which adds the same numbers in the same order in half of the time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

_used: ContextVar[bool] = ContextVar("used", default=False)

_PARTS = range(8, 32)
"""The widths for which the product is a fast loop; wider rows are divided into equal parts.

Many narrow parts take longer than TensorFlow's sum: those of 37 numbers, which have no divisor,
four times as long.
"""

_DTYPES = (tf.float32, tf.float64)


@contextmanager
def fast_row_sums(*, use: bool) -> Iterator[None]:
    """Choose the sum for gradients that are converted to dense tensors in this context.

    XLA has no product with a sparse matrix, so ``use`` is False for what it compiles. On a GPU the
    product adds in any order, so that it is never used there.
    """
    token = _used.set(use and not tf.config.list_logical_devices("GPU"))
    try:
        yield
    finally:
        _used.reset(token)


def _to_dense(
    slices: Any,
    dtype: Any = None,
    name: str | None = None,  # noqa: ARG001 - the arguments of a conversion function
    as_ref: bool = False,  # noqa: ARG001, FBT001, FBT002
) -> Any:
    """Convert rows for ``tf.convert_to_tensor``; ``NotImplemented`` leaves it to TensorFlow."""
    width = slices.values.shape[1:].num_elements()
    part = max((size for size in _PARTS if width and width % size == 0), default=None)
    fits = slices.dtype in _DTYPES and dtype in (None, slices.dtype)
    if not (_used.get() and fits) or part is None or slices.dense_shape is None:
        return NotImplemented
    parts = width // part
    starts = tf.cast(slices.indices, tf.int64)[:, tf.newaxis] * parts
    rows = tf.reshape(starts + tf.range(parts, dtype=tf.int64), [-1])
    count = tf.size(rows, tf.int64)
    total = tf.raw_ops.SparseTensorDenseMatMul(
        a_indices=tf.stack([rows, tf.range(count)], axis=1),
        a_values=tf.ones([count], slices.dtype),
        a_shape=tf.stack([tf.cast(slices.dense_shape[0], tf.int64) * parts, count]),
        b=tf.reshape(slices.values, [-1, part]),
    )
    return tf.reshape(total, slices.dense_shape)


# TensorFlow's own function has priority 100, and smaller numbers come first.
tf.register_tensor_conversion_function(tf.IndexedSlices, _to_dense, priority=90)

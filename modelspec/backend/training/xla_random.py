"""Random numbers that are the same with and without XLA."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from modelspec.backend.tensorflow_private import missing_random_part, replaced_random

_PHILOX = tf.random.Algorithm.PHILOX.value

_FRACTION_BITS = {tf.float32: 23, tf.float16: 10, tf.bfloat16: 7}
"""Bits of the mantissa by dtype; TensorFlow fills them with the lowest bits that Philox draws."""


def missing_part() -> str | None:
    """Return a sentence with the part that TensorFlow lacks; None where it has all parts."""
    part = missing_random_part()
    if part is None:
        return None
    return (
        f"TensorFlow {tf.__version__} has no {part}, so random layers draw other numbers with XLA"
    )


@contextmanager
def as_without_xla() -> Iterator[None]:
    """Make traced code draw its uniform numbers, also Dropout's, as TensorFlow's kernels do.

    Keras's layers leave the algorithm to TensorFlow. That is Philox with XLA and without it, but
    XLA converts the same bits to other numbers. And where the algorithm is not known from the
    start, it computes the key again for every number, which made a step of ``specs/digits.yaml``
    seven times as long. Where TensorFlow lacks a part, nothing is replaced.
    """
    if missing_random_part() is not None:
        yield
        return
    with replaced_random(_by_philox, _uniform_of_bits):
        yield


def _by_philox(key_of: Any) -> Any:
    return lambda seed, _: key_of(seed, _PHILOX)


def _uniform_of_bits(original: Any, bits_of: Any) -> Any:
    def uniform(shape: Any, *, dtype: Any = tf.float32, **source: Any) -> Any:
        """``source`` is the key, the counter and the algorithm."""
        if dtype not in _FRACTION_BITS:
            return original(shape, dtype=dtype, **source)
        bits = bits_of(shape, dtype=tf.uint32, **source)
        parts = 2 ** _FRACTION_BITS[dtype]
        return tf.cast(tf.bitwise.bitwise_and(bits, parts - 1), dtype) / parts

    return uniform

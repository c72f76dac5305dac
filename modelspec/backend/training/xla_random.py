"""The same random numbers with XLA as without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import gen_stateless_random_ops_v2 as ops
from tensorflow.python.ops import random_ops_util as seeds

_PHILOX = tf.random.Algorithm.PHILOX.value

_FRACTION_BITS = {tf.float32: 23, tf.float16: 10, tf.bfloat16: 7}
"""Of each type; TensorFlow fills them with the lowest bits that Philox draws."""


@contextmanager
def as_without_xla() -> Iterator[None]:
    """Have what is traced inside draw its uniform numbers, Dropout's too, as TensorFlow's kernels.

    Keras's layers leave the algorithm to TensorFlow. That means Philox with XLA and without it, but
    XLA makes other numbers of the same bits; and not knowing the algorithm from the start, it works
    out the key anew for every number, which made a step of ``specs/digits.yaml`` seven times as
    long.
    """
    key_of, uniform_of = seeds.get_key_counter_alg, ops.stateless_random_uniform_v2
    seeds.get_key_counter_alg = lambda seed, _: key_of(seed, _PHILOX)
    ops.stateless_random_uniform_v2 = _uniform_after(uniform_of)
    try:
        yield
    finally:
        seeds.get_key_counter_alg, ops.stateless_random_uniform_v2 = key_of, uniform_of


def _uniform_after(original: Any) -> Any:
    def uniform(shape: Any, *, dtype: Any = tf.float32, **source: Any) -> Any:
        """``source`` is the key, the counter and the algorithm."""
        if dtype not in _FRACTION_BITS:
            return original(shape, dtype=dtype, **source)
        bits = ops.stateless_random_uniform_full_int_v2(shape, dtype=tf.uint32, **source)
        parts = 2 ** _FRACTION_BITS[dtype]
        return tf.cast(tf.bitwise.bitwise_and(bits, parts - 1), dtype) / parts

    return uniform

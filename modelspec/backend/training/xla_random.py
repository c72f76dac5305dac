"""Random numbers that are the same with and without XLA.

Two private modules of TensorFlow are patched, and restored after each use:
``random_ops_util.get_key_counter_alg`` and ``gen_stateless_random_ops_v2``'s
``stateless_random_uniform_v2`` and ``stateless_random_uniform_full_int_v2``. They exist in
TensorFlow 2.18 to 2.21. If one is missing, ``missing_part`` names it, and nothing is replaced.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import tensorflow as tf

_SEEDS, _OPS = (
    "tensorflow.python.ops.random_ops_util",
    "tensorflow.python.ops.gen_stateless_random_ops_v2",
)
_KEY, _UNIFORM, _BITS = (
    "get_key_counter_alg",
    "stateless_random_uniform_v2",
    "stateless_random_uniform_full_int_v2",
)
_PHILOX = tf.random.Algorithm.PHILOX.value

_FRACTION_BITS = {tf.float32: 23, tf.float16: 10, tf.bfloat16: 7}
"""Bits of the mantissa by dtype; TensorFlow fills them with the lowest bits that Philox draws."""


@cache
def missing_part() -> str | None:
    """Return a sentence with the part that TensorFlow lacks; None where it has all parts."""
    for module, name in ((_SEEDS, _KEY), (_OPS, _UNIFORM), (_OPS, _BITS)):
        try:
            getattr(import_module(module), name)
        except (ImportError, AttributeError):
            return (
                f"TensorFlow {tf.__version__} has no {module}.{name}, "
                "so random layers draw other numbers with XLA"
            )
    return None


@contextmanager
def as_without_xla() -> Iterator[None]:
    """Make traced code draw its uniform numbers, also Dropout's, as TensorFlow's kernels do.

    Keras's layers leave the algorithm to TensorFlow. That is Philox with XLA and without it, but
    XLA converts the same bits to other numbers. And where the algorithm is not known from the
    start, it computes the key again for every number, which made a step of ``specs/digits.yaml``
    seven times as long. Where TensorFlow lacks a part, nothing is replaced.
    """
    if missing_part() is not None:
        yield
        return
    seeds: Any = import_module(_SEEDS)
    ops: Any = import_module(_OPS)
    key_of, uniform_of = seeds.get_key_counter_alg, ops.stateless_random_uniform_v2
    seeds.get_key_counter_alg = lambda seed, _: key_of(seed, _PHILOX)
    ops.stateless_random_uniform_v2 = _uniform_after(uniform_of, ops)
    try:
        yield
    finally:
        seeds.get_key_counter_alg, ops.stateless_random_uniform_v2 = key_of, uniform_of


def _uniform_after(original: Any, ops: Any) -> Any:
    def uniform(shape: Any, *, dtype: Any = tf.float32, **source: Any) -> Any:
        """Draw uniform numbers; ``source`` is the key, the counter and the algorithm."""
        if dtype not in _FRACTION_BITS:
            return original(shape, dtype=dtype, **source)
        bits = ops.stateless_random_uniform_full_int_v2(shape, dtype=tf.uint32, **source)
        parts = 2 ** _FRACTION_BITS[dtype]
        return tf.cast(tf.bitwise.bitwise_and(bits, parts - 1), dtype) / parts

    return uniform

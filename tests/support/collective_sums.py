"""Sums of one of several workers: ``collective_sums.py INDEX ADDRESS...``.

It prints the largest difference from NumPy's sums, in last digits, and a hash of all sums.
"""

import hashlib
import os
import sys
from typing import Any

import numpy as np

from modelspec.backend.workers.joining import join
from modelspec.results.scaling import SHORT

LAST_DIGITS = {
    "float16": 2**-10,
    "bfloat16": 2**-7,
    "float32": 2**-23,
    "float64": 2**-52,
    "int32": 1.0,
}
SHAPES = ((), (3,), (5, 7))


def main() -> None:
    index, addresses = int(sys.argv[1]), sys.argv[2:]
    workers = join(addresses, index)
    import tensorflow as tf

    def value(shape: tuple[int, ...], name: str, worker: int) -> Any:
        numbers = np.random.default_rng(worker).normal(scale=4, size=shape)
        return tf.cast(tf.constant(numbers, "float64"), name)

    def wide(tensor: Any) -> Any:
        return tf.cast(tensor, "float64").numpy()

    apart, sums = 0.0, hashlib.sha256()
    longest = SHORT // 4 // workers.count
    cases = [(name, shape) for name in LAST_DIGITS for shape in SHAPES]
    # One array is just short enough to be gathered, and the next one is not.
    cases += [("float32", (longest,)), ("float32", (longest + 1,))]
    for name, shape in cases:
        values = [value(shape, name, worker) for worker in range(workers.count)]
        summed: Any = tf.function(workers.sum, autograph=False)(values[index])
        assert (summed.shape, summed.dtype) == (shape, name)
        error = np.abs(wide(summed) - np.sum([wide(one) for one in values], axis=0))
        largest = np.max(np.abs([wide(one) for one in values]), initial=1.0)
        apart = max(apart, float(np.max(error, initial=0.0) / largest / LAST_DIGITS[name]))
        sums.update(wide(summed).tobytes())
    print(apart, sums.hexdigest(), flush=True)
    workers.wait_for_all()
    os._exit(0)


if __name__ == "__main__":
    main()

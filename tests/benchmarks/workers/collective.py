"""Seconds of sums and gathers: ``collective.py INDEX ADDRESS...`` as each of several workers.

The first prints a JSON list of ``[kind, bytes, seconds]``, the shortest of several rounds.
"""

import json
import os
import sys
import time
from typing import Any

import numpy as np

from modelspec.backend.workers.joining import join

ELEMENTS = [1, 1 << 10, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22]
TIMES = 10
ROUNDS = 15


def main() -> None:
    index, addresses = int(sys.argv[1]), sys.argv[2:]
    workers = join(addresses, index)
    measured = []
    for elements in ELEMENTS:
        for kind in ("sum", "gather"):
            seconds = shortest(workers, kind, elements)
            measured.append([kind, 4 * elements, seconds])
    if index == 0:
        print(json.dumps(measured), flush=True)
    workers.wait_for_all()
    time.sleep(1)  # until the others have heard that all have come
    os._exit(0)


def shortest(workers: Any, kind: str, elements: int) -> float:
    import tensorflow as tf

    own = max(1, elements // workers.count) if kind == "gather" else elements

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def several(value: Any) -> Any:
        def body(step: Any, total: Any) -> Any:
            if kind == "sum":
                return step + 1, workers.sum(total) * 0.1
            return step + 1, tf.ensure_shape(workers.gather(total)[:own], [own])

        return tf.while_loop(lambda step, _: step < TIMES, body, [0, value])[1]

    value = tf.constant(np.ones(own, np.float32))
    several(value)
    best = float("inf")
    for _ in range(ROUNDS if elements < 1 << 20 else ROUNDS // 3):
        workers.wait_for_all()
        started = time.perf_counter()
        several(value).numpy()
        best = min(best, (time.perf_counter() - started) / TIMES)
    return best


if __name__ == "__main__":
    main()

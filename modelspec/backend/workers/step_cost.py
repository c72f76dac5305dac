"""What a step of several workers takes, and how much of it is communication."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from modelspec.backend.workers.collectives import Collectives
from modelspec.problems.units import size


class StepCost:
    """Sums over the measured calls, which take several steps each.

    A clock in the graph of a step would be no deterministic operation, so what is communicated is
    counted there, and as much is communicated again at the end, which is timed.
    """

    def __init__(self, workers: Collectives | None) -> None:
        self._workers = workers
        self._steps, self._seconds = 0, 0.0
        self._counts = np.zeros(4)

    def measure(self, call: Callable[[], int], *, counts: bool) -> int:
        """Take steps; how many the call took. It is measured if it ``counts``."""
        if self._workers is None or not counts:
            return call()
        began, before = time.perf_counter(), self._workers.counts()
        steps = call()
        self._counts += self._workers.counts() - before
        self._seconds += time.perf_counter() - began
        self._steps += steps
        return steps

    def record(self) -> dict[str, Any] | None:
        """Means over the steps, by the names of ``run.json``; None if no step was measured.

        All workers must call it, since they communicate.
        """
        if not self._steps or self._workers is None:
            return None
        counts, step = self._counts / self._steps, self._seconds / self._steps
        try:
            seconds = self._workers.seconds_of(counts)
        except tf.errors.OpError:
            return None  # a worker has ended, after the last step
        return {
            "steps": self._steps,
            "step_seconds": step,
            "communication_seconds": seconds,
            "communication_share": min(1.0, seconds / max(step, 1e-9)),
            "operations": round(counts[0] + counts[2]),
            "bytes": round(counts[1] + counts[3]),
        }


def cost_text(record: dict[str, Any]) -> str:
    """What ``record`` says, as a sentence."""
    return (
        f"communication takes {record['communication_share']:.0%} of a step of "
        f"{1e3 * record['step_seconds']:.3g} ms: {size(record['bytes'])} from each worker in "
        f"{record['operations']} operations"
    )

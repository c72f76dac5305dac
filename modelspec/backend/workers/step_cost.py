"""The time of a step of several workers, and the part of communication in it."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from modelspec.backend.workers.collectives import Collectives
from modelspec.problems.units import size


class StepCost:
    """Sums over the measured calls, which take several steps each.

    A clock in the graph would make a step nondeterministic, so the communication is counted in the
    steps, and the same amount is repeated at the end and timed.
    """

    def __init__(self, workers: Collectives | None) -> None:
        self._workers = workers
        self._steps, self._seconds = 0, 0.0
        self._counts = np.zeros(4)

    def measure(self, call: Callable[[], int], *, counts: bool) -> int:
        """Run steps and return their number; the call is measured if it ``counts``."""
        if self._workers is None or not counts:
            return call()
        began, before = time.perf_counter(), self._workers.counts()
        steps = call()
        self._counts += self._workers.counts() - before
        self._seconds += time.perf_counter() - began
        self._steps += steps
        return steps

    def record(self) -> dict[str, Any] | None:
        """Return means over the steps, by the names of ``run.json``; None if none was measured.

        All workers must call it, because they communicate.
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
    """Return a sentence for ``record``."""
    return (
        f"communication takes {record['communication_share']:.0%} of a step of "
        f"{1e3 * record['step_seconds']:.3g} ms: {size(record['bytes'])} from each worker in "
        f"{record['operations']} operations"
    )

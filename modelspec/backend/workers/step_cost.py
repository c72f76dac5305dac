"""What a step of several workers takes, and how much of it is communication."""

import time
from collections.abc import Callable
from typing import Any

from modelspec.backend.workers.collectives import Collectives
from modelspec.problems.units import size


class StepCost:
    """Sums over the measured calls, which take several steps each. None is measured alone."""

    def __init__(self, workers: Collectives | None) -> None:
        self._workers = workers
        self._steps = 0
        self._seconds = self._communication = self._bytes = 0.0

    def measure(self, call: Callable[[], int], *, counts: bool) -> int:
        """Take steps; how many the call took. It is measured if it ``counts``."""
        if self._workers is None or not counts:
            return call()
        began, (communication, sent) = time.perf_counter(), self._workers.spent()
        steps = call()
        now_communication, now_sent = self._workers.spent()
        self._steps += steps
        self._seconds += time.perf_counter() - began
        self._communication += now_communication - communication
        self._bytes += now_sent - sent
        return steps

    def record(self) -> dict[str, Any] | None:
        """Means over the steps, by the names of ``run.json``; None if no step was measured."""
        if not self._steps:
            return None
        return {
            "steps": self._steps,
            "step_seconds": self._seconds / self._steps,
            "communication_seconds": self._communication / self._steps,
            "communication_share": self._communication / max(self._seconds, 1e-9),
            "bytes": round(self._bytes / self._steps),
        }

    def text(self) -> str:
        """The same as a sentence; empty if no step was measured."""
        record = self.record()
        if record is None:
            return ""
        return (
            f"communication took {record['communication_share']:.0%} of a step of "
            f"{1e3 * record['step_seconds']:.3g} ms: {size(record['bytes'])} from each worker, "
            "and waiting for the others"
        )

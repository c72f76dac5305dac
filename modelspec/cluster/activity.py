"""The time for which a process was idle, measured while one of its threads may hang."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_IDLE_SHARE = 0.05
"""The share of processor time below which a process only waits."""

_WORKING = "RD"
"""Linux's states of a thread that waits for a processor or a disk."""

_THREADS = Path("/proc/self/task")


class Activity:
    """Observes this process at each call."""

    def __init__(self) -> None:
        self._asked, self._busy = time.monotonic(), time.monotonic()
        self._processor, self._progress = time.process_time(), 0.0
        self._working: set[int] = set()

    def idle_seconds(self, progress: float) -> float:
        """Return the seconds since the process was last active.

        It is active where ``progress`` has changed, where it uses processor time, and where a
        thread waits for a processor or a disk in both of two observations.
        """
        now, processor = time.monotonic(), time.process_time()
        share = (processor - self._processor) / max(now - self._asked, 1e-9)
        working = set()
        if progress != self._progress or share > _IDLE_SHARE:
            self._busy = now
        else:
            working = set(_working_threads())  # takes a millisecond
            if working & self._working:
                self._busy = now
        self._asked, self._processor = now, processor
        self._progress, self._working = progress, working
        return now - self._busy


def _working_threads() -> Iterator[int]:
    """Yield the other threads that wait for a processor or a disk, from Linux's /proc."""
    own = threading.get_native_id()
    with suppress(OSError):
        for name in os.listdir(_THREADS):  # noqa: PTH208 - numbers, once a second
            with suppress(OSError):
                state = (_THREADS / name / "stat").read_text().rpartition(")")[2].split()[0]
                if state in _WORKING and int(name) != own:
                    yield int(name)

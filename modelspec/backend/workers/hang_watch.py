"""Workers that hang while their processes answer, as in a callback that waits forever.

TensorFlow checks that the processes of other workers are alive, but not their training threads. So
a thread of every worker exchanges the time for which its process was idle, and the number of
collective operations that it has begun. A worker that compiles, computes or writes is busy, however
long the others wait for it. If all were idle for ``IDLE_SECONDS``, those with the fewest operations
hang, because the others wait for them.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from modelspec.backend.tensorflow_private import collective_abort
from modelspec.backend.workers.collectives import Collectives
from modelspec.cluster.activity import Activity
from modelspec.cluster.pulse import is_watched, tell_of_hang
from modelspec.data.concatenated import Array

IDLE_SECONDS = 35.0
_OBSERVE_EVERY = 0.7
_EXCHANGE_EVERY = 5.0
_GRACE = 5.0
"""The seconds in which the process that started the workers ends them all."""

_threads: list[threading.Thread] = []


@contextmanager
def watching_for_hangs(workers: Collectives | None) -> Iterator[None]:
    """End training with an error if a worker hangs; all workers must call it.

    A worker that has left still reports that it waits, until all of them have left.
    """
    if workers is None:
        yield
        return
    while _threads:
        _threads.pop().join()  # of an earlier training, which all workers have left
    watch = _HangWatch(workers)
    _threads.append(watch)
    watch.start()
    try:
        yield
    finally:
        watch.leaving.set()


class _HangWatch(threading.Thread):
    def __init__(self, workers: Collectives) -> None:
        super().__init__(daemon=True)
        self._workers, self._abort = workers, collective_abort()
        self.leaving = threading.Event()

    def run(self) -> None:
        activity, at = Activity(), time.monotonic() + _EXCHANGE_EVERY
        while True:
            leaving = self.leaving.wait(_OBSERVE_EVERY)
            operations = self._workers.operations()
            idle = activity.idle_seconds(operations)
            if time.monotonic() < at and not leaving:
                continue
            at = time.monotonic() + _EXCHANGE_EVERY
            try:
                table = self._workers.exchange([idle, operations, leaving])
            except tf.errors.OpError:
                return  # a worker has ended, which the training thread notices too
            hanging = _behind(table[:, 1]) if table[:, 0].min() >= IDLE_SECONDS else []
            if hanging:
                self._end(hanging)
            if hanging or table[:, 2].all():
                return

    def _end(self, hanging: Sequence[int]) -> None:
        """End this worker if it hangs; otherwise abort the operation in which it waits."""
        hangs = self._workers.index in hanging
        if is_watched():
            if hangs:
                tell_of_hang()
            time.sleep(_GRACE)
        text = self._workers.name_hanging(hanging, IDLE_SECONDS)
        if not hangs:
            self._abort(text)
        elif not self.leaving.is_set():
            # The reader of standard error may hang as well.
            threading.Timer(_GRACE, os._exit, [1]).start()
            sys.stderr.write(f"error: {text}\n")
            sys.stderr.flush()
            os._exit(1)


def _behind(operations: Array) -> list[int]:
    """Return the workers that have begun fewer operations than others; none if all are equal."""
    behind = np.flatnonzero(operations < operations.max())
    return [int(index) for index in behind]

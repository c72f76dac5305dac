"""Rows for the engine: tensors created once, or a stream from files that are larger.

Both return the same batches in the same order; they differ only in speed and memory.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from modelspec.backend.model.model_io import batch_arrays
from modelspec.backend.workers.collectives import Collectives
from modelspec.backend.workers.share import own_rows
from modelspec.data.batches import Batches
from modelspec.data.concatenated import Rows

RESIDENT_BYTES = 256 * 2**20
CHUNK_BYTES = 16 * 2**20
_CALL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class StepChunk:
    """The steps of one call of the engine.

    ``rows`` has a line of row numbers in ``data`` for each step; the call makes the steps from
    ``start`` to ``stop``. ``samples`` is the number of their rows, ``whole`` says whether every
    step has a full batch. ``total`` is the number of rows of each batch. It is larger than the
    number in ``rows`` where ``is_share``: then ``data`` contains only the rows of this worker.
    """

    data: Any  # tensors [samples in memory, ...], in the form of fit
    rows: Any  # int32 [steps, batch size]
    start: Any  # int32 []
    stop: Any  # int32 []
    samples: int
    whole: bool
    total: Any  # int32 []
    is_share: bool = False


class BatchSource(Protocol):
    """The rows of ``Batches``, as calls of the engine."""

    def chunks(self, order: Rows, done: int = 0) -> Iterator[StepChunk]:
        """Yield positions in the batches, in order, as steps; the last batch may be short.

        The first ``done`` positions, which are whole batches, were used earlier. The tensors are
        those of a whole epoch, so that XLA compiles the same program.
        """


def make_batch_source(
    model: Any,
    batches: Batches,
    steps_per_call: int | None = None,
    workers: Collectives | None = None,
) -> BatchSource:
    """Return a source with tensors if the rows are small enough; only their size decides.

    Without ``steps_per_call``, calls become as long as prompt progress and Ctrl-C allow. Where the
    rows are too many for tensors, a worker reads only those of its own share.
    """
    pace = _Pace(steps_per_call or 1, fixed=steps_per_call is not None, workers=workers)
    if batches.row_bytes * batches.samples <= RESIDENT_BYTES:
        return _Resident(model, batches, pace)
    if workers is not None:
        return _StreamedShare(model, batches, pace, workers)
    return _Streamed(model, batches, pace)


def sample(model: Any, batches: Batches) -> Any:
    """Return a small batch, in the form of ``fit``."""
    return _tensors(model, batches, np.arange(min(2, batches.samples)))


@dataclass
class _Pace:
    """The number of steps in a call. It does not affect results, so that a timer may choose it."""

    steps: int
    fixed: bool
    workers: Collectives | None = None

    def adapt(self, seconds: float) -> None:
        """Aim at calls of ``_CALL_SECONDS``, after a call of ``steps`` that took ``seconds``."""
        if not self.fixed:
            wanted = round(self.steps * _CALL_SECONDS / max(seconds, 1e-6))
            wanted = max(1, min(8 * self.steps, wanted))
            # All workers must take the same number of steps in a call.
            self.steps = wanted if self.workers is None else self.workers.highest(wanted)[0]


class _Resident:
    def __init__(self, model: Any, batches: Batches, pace: _Pace) -> None:
        self._batch, self._pace = batches.batch_size, pace
        self._data = _tensors(model, batches, np.arange(batches.samples))

    def chunks(self, order: Rows, done: int = 0) -> Iterator[StepChunk]:
        rows = order.astype(np.int32, copy=False)
        yield from _chunks(self._data, rows, self._batch, self._pace, done)


class _Streamed:
    """Parts of one size; the next is gathered while a call computes the current one."""

    def __init__(self, model: Any, batches: Batches, pace: _Pace) -> None:
        self._model, self._batches, self._pace = model, batches, pace
        steps = max(1, CHUNK_BYTES // max(batches.row_bytes * batches.batch_size, 1))
        self._size = batches.batch_size * min(steps, batches.steps)

    def chunks(self, order: Rows, done: int = 0) -> Iterator[StepChunk]:
        first = done - done % self._size
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._gather, order, first)
            for start in range(first, len(order), self._size):
                data = coming.result()
                coming = ahead.submit(self._gather, order, start + self._size)
                taken = max(done - start, 0)
                yield from self._held(data, min(self._size, len(order) - start), taken)

    def _held(self, data: Any, samples: int, done: int) -> Iterator[StepChunk]:
        """Yield calls for the first ``samples`` gathered rows, without those that are done."""
        held = np.arange(samples, dtype=np.int32)
        yield from _chunks(data, held, self._batches.batch_size, self._pace, done)

    def _gather(self, order: Rows, start: int) -> Any:
        """Gather rows, always of the same number, because XLA compiles for one length."""
        rows = order[start : start + self._size]
        if not len(rows):
            return None
        return _tensors(self._model, self._batches, np.resize(rows, self._size).astype(np.int64))


class _StreamedShare(_Streamed):
    """Parts with only the rows of each batch that a worker computes."""

    def __init__(self, model: Any, batches: Batches, pace: _Pace, workers: Collectives) -> None:
        super().__init__(model, batches, pace)
        self._workers = workers

    def _held(self, data: Any, samples: int, done: int) -> Iterator[StepChunk]:
        batch, own = self._batches.batch_size, own_rows(self._batches.batch_size, self._workers)
        steps, rest = divmod(samples, batch)
        held = np.arange(steps * len(own), dtype=np.int32)
        taken = min(done // batch, steps) * len(own)
        for chunk in _chunks(data, held, len(own), self._pace, taken):
            calls = int(chunk.stop) - int(chunk.start)
            yield replace(chunk, samples=calls * batch, total=tf.constant(batch), is_share=True)
        if rest and done < samples:
            short = tf.constant(
                len(held) + np.arange(len(own_rows(rest, self._workers)), dtype=np.int32)[None]
            )
            ends = tf.constant(0), tf.constant(1)
            total = tf.constant(rest)
            yield StepChunk(data, short, *ends, rest, whole=False, total=total, is_share=True)

    def _gather(self, order: Rows, start: int) -> Any:
        rows, batch = order[start : start + self._size], self._batches.batch_size
        if not len(rows):
            return None
        own = [
            at + own_rows(min(batch, len(rows) - at), self._workers)
            for at in range(0, len(rows), batch)
        ]
        return _tensors(self._model, self._batches, rows[np.concatenate(own)].astype(np.int64))


def _tensors(model: Any, batches: Batches, positions: Rows) -> Any:
    arrays = batch_arrays(model, batches.gather(positions))
    return tf.nest.map_structure(tf.convert_to_tensor, arrays)


def _chunks(data: Any, order: Rows, batch: int, pace: _Pace, done: int) -> Iterator[StepChunk]:
    steps = len(order) // batch
    table = tf.constant(order[: steps * batch].reshape(steps, batch))
    at = done // batch
    while at < steps:
        stop = min(at + pace.steps, steps)
        ends = tf.constant(at), tf.constant(stop)
        started = time.perf_counter()
        samples, total = (stop - at) * batch, tf.constant(batch)
        yield StepChunk(data, table, *ends, samples, whole=True, total=total)
        if stop - at == pace.steps:
            pace.adapt(time.perf_counter() - started)
        at = stop
    rest = len(order) - steps * batch
    if rest and done < len(order):
        short = tf.constant(order[None, steps * batch :])
        ends = tf.constant(0), tf.constant(1)
        yield StepChunk(data, short, *ends, rest, whole=False, total=tf.constant(rest))

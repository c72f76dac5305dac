"""Collective operations among the workers of a cluster, on TensorFlow's own runtime.

``tf.distribute.MultiWorkerMirroredStrategy`` starts the runtime: the servers, the connections and
the check that the other workers are alive. Its variables are not used: every worker has the whole
state of a run as plain variables, and computes the same updates from the same sums.
"""

import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np
import tensorflow as tf

from modelspec.data.concatenated import Array
from modelspec.problems.errors import RunError, StepError
from modelspec.results.scaling import SHORT

LOSSES = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""The errors that TensorFlow raises where another worker ended or is unreachable."""

_GROUP = 4711
"""The key of the group of all workers; any number that TensorFlow does not use itself."""

_EXCHANGE = 1
"""The key of ``exchange``; those of other operations are larger."""

_LENGTH_BITS = 20

_FLOAT = 4
"""The bytes of a number of single precision."""

_REPETITIONS = 7

_GATHERED = (tf.float16, tf.float32, tf.float64, tf.int32, tf.int64)
"""The types that TensorFlow gathers."""

_keys = count(1)


def next_key() -> int:
    """Return a number for an operation, which TensorFlow remembers for the life of the process."""
    return next(_keys) << _LENGTH_BITS


_AS = {tf.bool: tf.int32, tf.bfloat16: tf.float32}
"""Types that collective operations do not support, and types that contain their values exactly."""


class Collectives:
    """Sums and gathers over the workers at ``addresses``; this worker has the number ``index``.

    Every worker must make the same calls in the same order. The order in which values are added
    depends on the number of workers alone, so every worker gets the same bits.
    """

    def __init__(self, addresses: Sequence[str], index: int) -> None:
        self.index, self.count = index, len(addresses)
        self._addresses = tuple(addresses)
        with tf.init_scope():
            self._counts = tf.Variable([0.0] * 4, dtype=tf.float64, trainable=False)
        self._highest: Any = None
        self._hang = ""

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def counts(self) -> Array:
        """Return the number of sums so far and their bytes, and those of gathers."""
        counts: Array = self._counts.numpy()
        return counts

    def operations(self) -> float:
        """The number of sums and gathers so far."""
        counts = self.counts()
        return float(counts[0] + counts[2])

    def exchange(self, numbers: Sequence[float]) -> Array:
        """Return a row of numbers from each worker, for a thread besides the one that trains.

        It works while a step waits or hangs, because it belongs to no graph; it is not counted.
        """
        rows: Array = tf.raw_ops.CollectiveGatherV2(
            input=tf.constant([numbers], tf.float64),
            group_size=self.count,
            group_key=_GROUP,
            instance_key=_EXCHANGE,
            ordering_token=[],
        ).numpy()
        return rows

    def seconds_of(self, counts: Array) -> float:
        """Measure the seconds that these sums and gathers take; all workers must call it."""
        sums, sum_bytes, gathers, gather_bytes = counts.tolist()

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def operations(summed: Any, gathered: Any) -> Any:
            for _ in range(round(sums)):
                summed = self._sum(summed) / self.count
            for _ in range(round(gathers)):
                gathered = self._gather(gathered)[: tf.shape(gathered)[0]]
            return summed, gathered

        tensors = [
            tf.zeros([max(1, round(total / _FLOAT / max(number, 1)))])
            for number, total in ((sums, sum_bytes), (gathers, gather_bytes))
        ]
        operations(*tensors)
        times = []
        for _ in range(_REPETITIONS):
            began = time.perf_counter()
            operations(*tensors)
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    def sum(self, value: Any) -> Any:
        """Return the sum of a tensor over all workers; it has no gradient."""
        return self._counted(self._sum, value, 0)

    def _sum(self, value: Any) -> Any:
        if self._is_short(value):
            parts = tf.split(self._gather(tf.reshape(value, [-1])), self.count)
            return tf.reshape(tf.add_n(parts), value.shape)
        return tf.raw_ops.CollectiveReduceV2(
            input=value,
            group_size=self.count,
            group_key=_GROUP,
            instance_key=self._key(value),
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
        )

    def _is_short(self, value: Any) -> bool:
        """Return True where every worker gathers and adds all values, in fewer messages."""
        elements = value.shape.num_elements()
        return (
            elements is not None
            and value.dtype in _GATHERED
            and elements * value.dtype.size * self.count <= SHORT
        )

    def sum_all(self, values: Sequence[Any]) -> list[Any]:
        """Return the sums of several tensors of one type, in one operation."""
        flat = tf.concat([tf.reshape(value, [-1]) for value in values], 0)
        sizes = [tf.size(value) for value in values]
        parts = tf.split(self.sum(flat), sizes, num=len(values))
        return [
            tf.reshape(part, tf.shape(value)) for part, value in zip(parts, values, strict=True)
        ]

    def differentiable_sum(self, value: Any) -> Any:
        """Return the sum over all workers, whose gradient is the sum of the workers' gradients."""

        def total(local: Any) -> Any:
            return self.sum(local), self.sum

        return tf.custom_gradient(total)(value)

    def gather(self, value: Any) -> Any:
        """Return the workers' tensors, of one shape, concatenated along the first axis."""
        stand_in = _AS.get(value.dtype)
        gathered = self._counted(
            self._gather, value if stand_in is None else tf.cast(value, stand_in), 2
        )
        return gathered if stand_in is None else tf.cast(gathered, value.dtype)

    def _gather(self, value: Any) -> Any:
        return tf.raw_ops.CollectiveGatherV2(
            input=value,
            group_size=self.count,
            group_key=_GROUP,
            instance_key=self._key(value),
            ordering_token=[],
        )

    def _counted(self, operation: Callable[[Any], Any], value: Any, place: int) -> Any:
        """Run an operation, and add 1 and its bytes to the counts at a place."""
        sent = tf.cast(tf.size(value) * value.dtype.size, tf.float64)
        counts = [tf.constant(0.0, tf.float64)] * 4
        counts[place : place + 2] = [tf.constant(1.0, tf.float64), sent]
        self._counts.assign_add(tf.stack(counts))
        return operation(value)

    def highest(self, *numbers: int) -> list[int]:
        """Return the largest of the workers' values at each place, so that workers agree."""
        if self._highest is None:
            # One operation for the whole life of the process, with its own key.
            self._highest = tf.function(
                lambda own: tf.reduce_max(tf.reshape(self.gather(own), [self.count, -1]), axis=0),
                input_signature=[tf.TensorSpec([None], tf.int64)],
                autograph=False,
            )
        try:
            result = self._highest(tf.constant(numbers, tf.int64))
        except tf.errors.OpError as error:
            raise self.lost(error) from error
        return [int(value) for value in np.asarray(result)]

    def wait_for_all(self) -> None:
        """Wait until every worker has called this."""
        self.highest(0)

    def name_hanging(self, hanging: Sequence[int], seconds: float) -> str:
        """Store the workers that hang, so that errors name them; return the text of the error."""
        who = " and ".join(f"worker {index} ({self._addresses[index]})" for index in hanging)
        self._hang = f"{who} did nothing for {seconds:g} seconds, while the others waited"
        return self._hang

    def lost(self, error: Exception) -> RunError:
        """Return the error that names the unreachable worker, as far as it is known."""
        task = re.search(r"/job:worker/(?:replica:\d+/)?task:(\d+)", str(error))
        index = int(task[1]) if task else self.index
        who = f"worker {index} ({self._addresses[index]})" if index != self.index else "a worker"
        return RunError(
            f"{self._hang or f'{who} ended, or lost its connection'}; what was saved before is "
            "intact: remove the cause, and continue with --resume"
        )

    def _key(self, value: Any) -> Any:
        """Return a key for an operation at a place in the program, and for its tensor's length.

        TensorFlow remembers the shape of a key, and refuses another one, such as that of a short
        last batch.
        """
        length = tf.shape(value)[0] if value.shape.rank else 0
        return next_key() + length % (1 << _LENGTH_BITS)


@contextmanager
def naming_lost_worker(workers: Collectives | None) -> Iterator[None]:
    """Name the lost worker where a step failed because of it."""
    try:
        yield
    except StepError as error:
        if workers is not None and isinstance(error.__cause__, LOSSES):
            raise workers.lost(error.__cause__) from error
        raise

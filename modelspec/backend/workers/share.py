"""The rows of a batch that a worker computes."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from modelspec.backend.workers.collectives import Collectives
from modelspec.data.concatenated import Rows


def bounds(total: int, index: int, count: int) -> tuple[int, int]:
    """Return the first row of a worker's share of ``total`` rows, and the row after its last."""
    return index * total // count, (index + 1) * total // count


def own_rows(total: int, place: "Place") -> Rows:
    """Return the rows of a batch of ``total`` that a worker computes; one row where it has none."""
    start, stop = bounds(total, place.index, place.count)
    first = min(start, total - 1)
    return np.arange(first, max(stop, first + 1), dtype=np.int64)


class Place(Protocol):
    """A worker's number, and the number of workers."""

    @property
    def index(self) -> int: ...

    @property
    def count(self) -> int: ...


class Share(NamedTuple):
    """The share of a worker in a batch of ``total`` rows; all are int32 scalars.

    Rows ``first`` to ``last`` are computed, of which the first ``rows`` count. They are fewer only
    where a batch has fewer rows than there are workers: a worker without rows computes one row of
    another worker, and drops it.
    """

    total: Any
    first: Any
    last: Any
    rows: Any
    start: Any

    @classmethod
    def of(cls, total: Any, place: Place) -> "Share":
        start, stop = bounds(total, place.index, place.count)
        first = tf.minimum(start, total - 1)
        return cls(total, first, tf.maximum(stop, first + 1), stop - start, start)

    def weighted(self, value: Any) -> Any:
        """Return the part of this worker in the mean over the batch, from its mean over its rows.

        It has at least single precision.
        """
        tensor = tf.convert_to_tensor(value)
        wide = tensor.dtype if tensor.dtype == tf.float64 else tf.float32
        return tf.cast(tensor, wide) * (tf.cast(self.rows, wide) / tf.cast(self.total, wide))

    def cut(self, tensor: Any) -> Any:
        """Return the worker's rows of a tensor of the whole batch."""
        return tensor[self.first : self.last]

    def counted(self, tensor: Any) -> Any:
        """Return a tensor without the row that a worker without rows computes."""
        return tensor[: self.rows]

    def fill(self, tensor: Any) -> Any:
        """Return the worker's rows at their places in a batch that is zero elsewhere."""
        if tensor.dtype == tf.string:
            blank = tf.fill(tf.concat([[self.total], tf.shape(tensor)[1:]], 0), "")
            return tf.concat([blank[: self.first], tensor, blank[self.last :]], 0)
        edges = [[self.first, self.total - self.last], *([0, 0] for _ in tensor.shape[1:])]
        return tf.pad(tensor, edges)

    def whole(self, tensor: Any, collectives: Collectives, per_row: Any = 1) -> Any:
        """Return the tensor of the whole batch, from the workers' parts in order.

        ``tensor`` has ``per_row`` entries for each row that a worker computes. A gradient of the
        result passes to the worker's own part only.
        """
        count, total = collectives.count, self.total
        room = per_row * ((total + count - 1) // count)
        own = tensor[: per_row * self.rows]
        edges = [[0, room - tf.shape(own)[0]], *([0, 0] for _ in own.shape[1:])]
        gathered = collectives.gather(tf.stop_gradient(tf.pad(own, edges)))
        ends = [bounds(total, worker, count) for worker in range(count)]
        places = [
            worker * room + tf.range(per_row * (stop - start))
            for worker, (start, stop) in enumerate(ends)
        ]
        others = tf.stop_gradient(tf.gather(gathered, tf.concat(places, 0)))
        before, after = per_row * self.start, per_row * (self.start + self.rows)
        result = tf.concat([others[:before], own, others[after:]], 0)
        result.set_shape([None, *tensor.shape[1:]])
        return result

"""Costs of a model as plain data: operations, memory, and time if measured.

A multiplication and an addition are two operations. Padding of a convolution counts like any other
input. Copies, look-ups and dropout count nothing. The optimizer's update, a few operations for each
weight and step, is not included.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from modelspec.results.shape import Shape


@dataclass(frozen=True, slots=True)
class LayerCosts:
    """One layer, over all its calls, for one sample.

    ``flops`` are those of the forward pass, ``training_flops`` those of the forward and backward
    passes; ``activations`` are the bytes that the backward pass needs of the forward one.
    """

    name: str
    flops: int
    training_flops: int
    activations: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Measured training time on random data: seconds for each sample, in steady state."""

    samples: int
    seconds_per_sample: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """The communication of several workers in a step.

    ``summed`` are the bytes of gradients, whatever the batch; ``gathered_per_sample`` those of
    outputs, and of the gradients of Embeddings, for each row of the whole batch. ``sums`` and
    ``gathers`` are the numbers of operations.
    """

    summed: int = 0
    gathered_per_sample: int = 0
    sums: int = 0
    gathers: int = 0


@dataclass(frozen=True, slots=True)
class Costs:
    """A whole model; bytes are those of training in the model's own precision.

    ``lengths`` are the shapes, without the batch, that replace inputs' unknown ones. ``optimizer``
    is None where a model has none. ``workers`` is the number of workers, if it is given.
    """

    name: str
    batch_size: int
    lengths: Mapping[str, Shape]
    layers: tuple[LayerCosts, ...]
    parameters: int
    gradients: int
    optimizer: int | None
    exchange: Exchange = Exchange()
    measured: Measured | None = None
    workers: int | None = None

    @property
    def flops(self) -> int:
        """Operations for one sample, forward."""
        return sum(layer.flops for layer in self.layers)

    @property
    def training_flops(self) -> int:
        """Operations for one sample, forward and backward."""
        return sum(layer.training_flops for layer in self.layers)

    @property
    def activations(self) -> int:
        """Bytes of a batch."""
        return self.batch_size * sum(layer.activations for layer in self.layers)

    @property
    def bytes(self) -> int:
        return self.parameters + self.gradients + (self.optimizer or 0) + self.activations

    def as_json(self) -> dict[str, Any]:
        """Return the ``costs`` of ``summary --format json``."""
        batch = self.batch_size
        return {
            "batch_size": batch,
            "lengths": {name: list(shape) for name, shape in self.lengths.items()},
            "flops": {
                "sample": self.flops,
                "training_sample": self.training_flops,
                "batch": batch * self.flops,
                "training_batch": batch * self.training_flops,
            },
            "bytes": {
                "parameters": self.parameters,
                "gradients": self.gradients,
                "optimizer": self.optimizer,
                "activations": self.activations,
                "total": self.bytes,
            },
            "layers": [asdict(layer) for layer in self.layers],
            "measured": self._measured(),
        }

    def _measured(self) -> dict[str, Any] | None:
        if self.measured is None:
            return None
        seconds = self.measured.seconds_per_sample
        return {
            "samples": self.measured.samples,
            "seconds_per_1000_samples": 1000 * seconds,
            "flops_per_second": self.training_flops / seconds,
        }


def from_stored(stored: Mapping[str, Any]) -> Costs:
    """Restore costs from ``dataclasses.asdict`` after JSON."""
    lengths = {name: tuple(shape) for name, shape in stored["lengths"].items()}
    layers = tuple(LayerCosts(**layer) for layer in stored["layers"])
    exchange = Exchange(**stored["exchange"])
    return Costs(**{**stored, "lengths": lengths, "layers": layers, "exchange": exchange})

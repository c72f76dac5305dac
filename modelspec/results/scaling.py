"""A predicted step of several workers: their communication, and its time.

A ring of N workers sums V bytes in 2 (N - 1) messages of V / N bytes each, one after the other, and
gathers V bytes in N - 1. A short sum is gathered, in N - 1 messages of V bytes. A message takes
``PER_MESSAGE`` and ``PER_BYTE`` in the program, and the latency and the time on the wire of the
network. SCALE.md has the measurements.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from modelspec.results.costs import Costs, Exchange

# Fitted by tests/benchmarks/scale.py to 2 and 4 processes on loopback, which has no wire.
PER_OPERATION = 0.0
"""Seconds of one sum or gather, however many workers and bytes."""
PER_MESSAGE = 460e-6
PER_BYTE = 1.5e-9

SHORT = 2**20
"""The bytes from all workers together up to which values are gathered to be summed on each.

That takes half of the messages. Two workers sum 128 kB in 0.40 ms in place of 0.56 ms, and 1 MB in
3.6 ms in place of 1.8 ms.
"""

FLOPS = 100e9
"""The operations a second of a worker whose speed is unknown: eight cores of a processor."""


@dataclass(frozen=True, slots=True)
class Network:
    """Seconds of latency for a message, and bytes a second."""

    name: str
    latency: float
    bandwidth: float


NETWORKS = (
    Network("10 Gbit/s Ethernet", 50e-6, 10e9 / 8),
    Network("100 Gbit/s Ethernet", 20e-6, 100e9 / 8),
    Network("200 Gbit/s InfiniBand", 5e-6, 200e9 / 8),
)
LOOPBACK = Network("loopback", 0.0, float("inf"))


@dataclass(frozen=True, slots=True)
class Prediction:
    """A step of the whole batch on ``workers`` machines; times in seconds."""

    network: str
    workers: int
    computing: float
    communicating: float
    alone: float

    @property
    def seconds(self) -> float:
        return self.computing + self.communicating

    @property
    def share(self) -> float:
        """The communication as a fraction of the step."""
        return self.communicating / self.seconds

    @property
    def speed_up(self) -> float:
        """The speed relative to one worker that has all rows."""
        return self.alone / self.seconds

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "seconds": self.seconds,
            "share": self.share,
            "speed_up": self.speed_up,
        }


def communication(exchange: Exchange, batch: int, workers: int, network: Network) -> float:
    """Return the seconds in which ``workers`` exchange a step's tensors of ``batch`` rows."""
    if workers == 1:
        return 0.0
    message = PER_MESSAGE + network.latency
    byte = PER_BYTE + 1 / network.bandwidth
    rows = workers * -(-batch // workers)  # parts are filled up to the size of the largest
    gathered = rows * exchange.gathered_per_sample
    hops = workers - 1
    rounds, summed = 2, 2 * exchange.summed
    if exchange.summed * workers <= SHORT * exchange.sums:
        rounds, summed = 1, workers * exchange.summed
    return (
        (exchange.sums + exchange.gathers) * PER_OPERATION
        + (rounds * exchange.sums + exchange.gathers) * hops * message
        + (summed + gathered) * hops / workers * byte
    )


def predict(costs: Costs, workers: int, network: Network) -> Prediction:
    """Predict a step of the batch of ``costs``, at the measured speed, or else at ``FLOPS``."""
    batch = costs.batch_size
    measured = costs.measured
    sample = measured.seconds_per_sample if measured else costs.training_flops / FLOPS
    return Prediction(
        network.name,
        workers,
        computing=-(-batch // workers) * sample,
        communicating=communication(costs.exchange, batch, workers, network),
        alone=batch * sample,
    )


def predictions_json(costs: Costs, workers: int) -> Mapping[str, Any]:
    """Return the ``workers`` of ``summary --costs --workers N --format json``."""
    batch = costs.batch_size
    rows = workers * -(-batch // workers)
    return {
        "count": workers,
        "summed_bytes": costs.exchange.summed,
        "gathered_bytes": rows * costs.exchange.gathered_per_sample,
        "sums": costs.exchange.sums,
        "gathers": costs.exchange.gathers,
        "networks": [predict(costs, workers, network).as_json() for network in NETWORKS],
    }

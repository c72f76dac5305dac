"""Contributions of the outputs to the total loss, and the weights that make them equal."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

DOMINANT = 0.95


@dataclass(frozen=True, slots=True)
class Contribution:
    """One head in an epoch: its own loss, its weight, their product, and its share of the total."""

    output: str
    loss: float
    weight: float
    weighted: float
    share: float


def contributions(
    logs: Mapping[str, float], weights: Mapping[str, float]
) -> tuple[Contribution, ...]:
    """Return the contribution of each head; empty if fewer than two are trained.

    ``logs`` are an epoch's by Keras's names, ``weights`` the current ones of the trained outputs.
    Penalties of regularizers belong to no head. A loss below zero contributes by its absolute
    value.
    """
    losses = {name: logs[f"{name}_loss"] for name in weights if f"{name}_loss" in logs}
    if len(losses) < 2:  # noqa: PLR2004 - one head has nothing to share
        return ()
    weighted = {name: weights[name] * loss for name, loss in losses.items()}
    total = sum(map(abs, weighted.values()))
    even = 1 / len(losses)
    return tuple(
        Contribution(
            name,
            loss,
            weights[name],
            weighted[name],
            abs(weighted[name]) / total if total else even,
        )
        for name, loss in losses.items()
    )


def shares(logs: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, float]:
    """Return ``OUTPUT_share`` of each head, for an epoch's record; they add up to 1."""
    return {
        f"{contribution.output}_share": contribution.share
        for contribution in contributions(logs, weights)
    }


AT_1 = "loss_at_1"
"""The log of the sum of the heads' losses with weights of 1, because a strategy changes weights."""


def at_weights_of_1(logs: Mapping[str, float], outputs: Iterable[str]) -> dict[str, float]:
    """Return the loss of an epoch with weights of 1, comparable between runs."""
    losses = [logs[f"{name}_loss"] for name in outputs if f"{name}_loss" in logs]
    return {AT_1: sum(losses)} if losses else {}


def dominance(
    logs: Mapping[str, float],
    weights: Mapping[str, float],
    bound: float = DOMINANT,
    *,
    strategy: bool = False,
) -> str | None:
    """Return a warning if one output makes up nearly all of the loss; otherwise None.

    Where a ``strategy`` sets the weights already, it advises no strategy.
    """
    parts = contributions(logs, weights)
    largest = max(parts, key=lambda part: part.share, default=None)
    if largest is None or not largest.share > bound:
        return None
    automatic = ", and `loss_weights: auto` sets them while training"
    return (
        f"{largest.output} makes up {largest.share:.1%} of the total loss, so the shared layers "
        "learn almost only for it: `modelspec balance` measures better loss_weights"
        f"{'' if strategy else automatic}"
    )


def even_out(sizes: Mapping[str, float]) -> dict[str, float]:
    """Return weights that make all weighted ``sizes`` equal, with a mean of 1.

    An output whose size is zero or not finite keeps a weight of 1.
    """
    usable = {name: size for name, size in sizes.items() if math.isfinite(size) and size > 0}
    inverse = {name: 1 / size for name, size in usable.items()}
    scale = len(usable) / sum(inverse.values()) if usable else 1.0
    return {name: inverse[name] * scale if name in inverse else 1.0 for name in sizes}


@dataclass(frozen=True, slots=True)
class HeadMeasurement:
    """Heads at one point of training, over the same batches.

    ``losses`` and ``norms`` (of the gradients on the layers that heads share) are means over the
    batches, in the order of the outputs; so are ``cosines``, of each output with each. A norm of
    0 is that of a head that shares no layer.
    """

    losses: tuple[float, ...]
    norms: tuple[float, ...]
    cosines: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class LayerUse:
    """A layer with weights, its line in the spec, and the trained outputs that depend on it."""

    name: str
    line: int
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """The measurements of ``modelspec balance``: with initial weights, and after some batches.

    The weights use the geometric mean of both: the initial losses depend on the initial weights,
    and the later losses on the learning speed of each output.
    """

    outputs: tuple[str, ...]
    start: HeadMeasurement
    warm: HeadMeasurement
    batches: int
    layers: tuple[LayerUse, ...]

    @property
    def shared(self) -> tuple[LayerUse, ...]:
        return tuple(layer for layer in self.layers if len(layer.outputs) > 1)

    @property
    def private(self) -> tuple[LayerUse, ...]:
        return tuple(layer for layer in self.layers if len(layer.outputs) == 1)

    @property
    def equal_contributions(self) -> dict[str, float]:
        """Weights by output that make the losses equal."""
        return self._even(self.start.losses, self.warm.losses)

    @property
    def equal_gradients(self) -> dict[str, float]:
        """Weights by output that make the norms of the gradients equal."""
        return self._even(self.start.norms, self.warm.norms)

    def _even(self, start: Sequence[float], warm: Sequence[float]) -> dict[str, float]:
        sizes = (math.sqrt(abs(one * other)) for one, other in zip(start, warm, strict=True))
        return even_out(dict(zip(self.outputs, sizes, strict=True)))


def loss_weights_line(weights: Mapping[str, float]) -> str:
    """Return a line of YAML to paste into a spec."""
    inside = ", ".join(f"{name}: {number(weight)}" for name, weight in weights.items())
    return f"loss_weights: {{{inside}}}"


def number(value: float) -> str:
    """Format three digits, the accuracy of the measurement."""
    return f"{value:.3g}"


def pairs(outputs: Sequence[str]) -> list[tuple[int, int]]:
    """Return the positions of all pairs of outputs."""
    count = len(outputs)
    return [(one, other) for one in range(count) for other in range(one + 1, count)]

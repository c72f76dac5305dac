"""Shares of the outputs in the total loss, for the record of an epoch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelspec.graph.heads import Head
from modelspec.results.balance import at_weights_of_1, dominance, shares


@dataclass
class LossShares:
    """Called with the logs of each epoch; returns what to add to them.

    ``current`` returns the weights of a strategy, if there is one. ``warn`` is called once for a
    head with nearly all of the loss.
    """

    heads: Sequence[Head]
    current: Callable[[], Mapping[str, float]] | None
    warn: Callable[[str], None]
    _warned: bool = False

    def __call__(self, logs: Mapping[str, float]) -> dict[str, float]:
        set_now = self.current() if self.current else {}
        fixed = {head.output: head.weight for head in self.heads if head.loss is not None}
        weights = {**fixed, **set_now}
        said = dominance(logs, weights, strategy=bool(set_now))
        if said and not self._warned:
            self._warned = True
            self.warn(said)
        changing = {f"{name}_weight": value for name, value in set_now.items()}
        comparable = at_weights_of_1(logs, set_now) if set_now else {}
        return {**comparable, **shares(logs, weights), **changing}

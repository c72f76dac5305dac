"""Heads that are no better after training than one prediction for all samples."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from modelspec.catalog.losses import named_loss
from modelspec.checks.scale import is_raw, is_scaled
from modelspec.checks.spread import spread_of
from modelspec.data.concatenated import Array, Column
from modelspec.data.dataset import Dataset
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head

_NO_BETTER = 0.9
_NO_BETTER_THAN_SHARES = 0.99
_FAR_WORSE = 10.0
"""Times the loss of a constant; new heads of scaled targets begin with some two or three."""
_NEAR = 5.0
_CROSSENTROPIES = {
    *("binarycrossentropy", "categoricalcrossentropy", "sparsecategoricalcrossentropy"),
}
_EPOCHS = 3
"""The epochs after which a head of classes should be better than the shares of its classes."""
_ROWS = 4096


def left_at_mean(
    heads: Sequence[Head],
    graph: Graph,
    dataset: Dataset,
    record: Mapping[str, Any],
    *,
    strategy: bool,
    penalized: bool = False,
) -> Iterator[str]:
    """Yield a warning for each such head after the last epoch, whose ``record`` has Keras's names.

    Of heads of quantities, those with targets in their original scale are checked, and those that a
    ``strategy`` weighs: for others it is unknown whether there is anything to learn, so their loss
    must be many times that of a constant. Where the model is ``penalized``, the loss of a single
    head contains more than the head's own loss.
    """
    trained = [head for head in heads if head.loss is not None]
    for head in trained:
        target = dataset.targets.get(head.output)
        loss = record.get(f"{head.output}_loss" if len(heads) > 1 else "loss")
        weighted = head.output in dataset.weights or head.class_weights
        if target is None or weighted or not isinstance(loss, float) or not head.weight:
            continue
        rows = target[np.linspace(0, len(target) - 1, min(_ROWS, len(target))).astype(np.int64)]
        constant = _loss_of_constant(head.loss, rows.astype(np.float64))
        judged = strategy or is_raw(target)
        if constant and loss >= (_NO_BETTER if judged else _FAR_WORSE) * constant:
            rescale = not _is_near(target) and not is_scaled(graph, head.output)
            yield _of_quantity(head.output, loss, constant, rescale=rescale)
        shares = _loss_of_shares(head.loss, rows)
        judged = record["epoch"] >= _EPOCHS and (len(heads) > 1 or not penalized)
        if judged and shares and loss >= _NO_BETTER_THAN_SHARES * shares:
            yield _of_classes(head.output, loss, shares, several=len(trained) > 1)


def _is_near(target: Column) -> bool:
    """Return True where all values are near those of a new head, so that no Rescaling helps."""
    spread = spread_of(target)
    return spread is None or max(abs(spread.low), abs(spread.high)) < _NEAR


def _of_quantity(output: str, loss: float, constant: float, *, rescale: bool) -> str:
    finding = (
        f"{output} predicts no better than a constant: its loss is {loss:.4g}, and the loss of the "
        f"best constant is {constant:.4g}. "
    )
    if rescale:
        return (
            f"{finding}End it in a Rescaling to the scale of its targets (`modelspec check --data` "
            "measures it), or raise its weight"
        )
    return f"{finding}Scaled inputs, more epochs, another learning rate or a larger weight may help"


def _of_classes(output: str, loss: float, shares: float, *, several: bool) -> str:
    more = "other loss_weights, " if several else ""
    return (
        f"{output} predicts no better than the shares of its classes, the same for every sample: "
        f"its loss is {loss:.4g}, and the loss of the shares is {shares:.4g}. Scaled inputs, "
        f"another learning rate, {more}or more epochs may help"
    )


def _loss_of_constant(loss: Any, rows: Array) -> float | None:
    """Return the loss of the best constant of each unit; None where it is unknown."""
    name, _ = named_loss(loss, (), None)
    if name == "meansquarederror":
        return float(rows.var(0).mean())
    if name == "meanabsoluteerror":
        return float(np.abs(rows - np.median(rows, 0)).mean())
    return None


def _loss_of_shares(loss: Any, rows: Array) -> float | None:
    """Return the crossentropy of the classes' own shares; None where it is unknown."""
    name, arguments = named_loss(loss, (), None)
    if name not in _CROSSENTROPIES or set(arguments) - {"from_logits"}:
        return None
    if name == "sparsecategoricalcrossentropy":
        # One id for each sample only, because ids of a sequence may be masked.
        if rows.size != len(rows):
            return None
        return _entropy(np.unique(rows, return_counts=True)[1] / len(rows))
    if rows.ndim > 2:  # noqa: PLR2004 - samples and units
        return None
    shares = rows.astype(np.float64).mean(0)
    if name == "categoricalcrossentropy":
        return _entropy(shares)
    units = np.atleast_1d(shares)
    return float(np.mean([_entropy(np.array([share, 1 - share])) for share in units]))


def _entropy(shares: Array) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())

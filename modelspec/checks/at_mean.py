"""Heads of quantities that training left where a constant would do as well."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from modelspec.catalog.losses import named_loss
from modelspec.checks.scale import is_raw
from modelspec.data.concatenated import Array
from modelspec.data.dataset import Dataset
from modelspec.graph.heads import Head

_NO_BETTER = 0.9
_ROWS = 4096


def left_at_mean(
    heads: Sequence[Head], dataset: Dataset, record: Mapping[str, Any], *, strategy: bool
) -> Iterator[str]:
    """What to tell of each such head after the last epoch, whose ``record`` has Keras's names.

    Only heads whose targets are as raw as they were measured are judged, and those that a
    ``strategy`` weighs: of others nobody knows whether there is anything to learn.
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
        if not constant or loss < _NO_BETTER * constant or not (strategy or is_raw(target)):
            continue
        yield (
            f"{head.output} has learned nothing: its loss is {loss:.4g}, and the same value for "
            f"every sample gives {constant:.4g}. Let it end in a Rescaling to the scale of its "
            "targets (`modelspec check --data` measures it), or raise its weight"
        )


def _loss_of_constant(loss: Any, rows: Array) -> float | None:
    """The loss of the best constant of each unit; None where it is not known."""
    name, _ = named_loss(loss, (), None)
    if name == "meansquarederror":
        return float(rows.var(0).mean())
    if name == "meanabsoluteerror":
        return float(np.abs(rows - np.median(rows, 0)).mean())
    return None

"""Predictions of one output compared with its targets, as its loss reads them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from modelspec.catalog.losses import LossFacts, loss_facts, named_loss
from modelspec.data.concatenated import Array
from modelspec.graph.heads import Head
from modelspec.language.written import Written
from modelspec.results.classification import (
    Curve,
    accuracy,
    calibration,
    class_scores,
    confusion,
    precision_recall_curve,
    roc_curve,
    thinned,
)
from modelspec.results.evaluated import Classes, Judged, Labels
from modelspec.results.regression import fit

MOST_CLASSES = 20
"""The most classes in a table; the rarer classes of a larger one are combined."""

_CURVES = 8
_OTHERS = "others"
_QUANTITIES = ("elementwise", "counts")


def judge(
    head: Head,
    targets: Array,
    predictions: Array,
    losses: Array | None,
    names: Sequence[str | int] = (),
) -> Judged:
    """Compare rows of predictions with rows of targets; ``names`` are those of the classes."""
    _, arguments = named_loss(head.loss, targets.shape[1:], predictions.shape[1:])
    facts = loss_facts(head.loss, targets.shape[1:], predictions.shape[1:])
    written = Written.read(head.loss)
    mean = None if losses is None else float(losses.mean())
    details, note = None, "There are no further figures for an output with this loss."
    if not np.isfinite(predictions).all():
        note = "Some predictions are not finite, so there are no figures."
    elif facts is not None:
        details = _details(facts, arguments, targets, predictions, names)
        note = "" if details else note
    return Judged(head.output, written.name if written else "", mean, details, note)


def _details(
    facts: LossFacts,
    arguments: Mapping[str, Any],
    targets: Array,
    predictions: Array,
    names: Sequence[str | int],
) -> Any:
    logits = arguments.get("from_logits") is True
    if facts.targets in ("ids", "one-hot"):
        return _classes(facts, arguments, targets, predictions, names, logits=logits)
    if facts.targets in ("binary", "signs"):
        scored = facts.outputs == "scores"
        return _labels(targets, predictions, names, logits=logits, scored=scored)
    if facts.targets in _QUANTITIES and targets.size == predictions.size:
        return fit(targets, predictions)
    return None


def _classes(
    facts: LossFacts,
    arguments: Mapping[str, Any],
    targets: Array,
    predictions: Array,
    labels: Sequence[str | int],
    *,
    logits: bool,
) -> Classes | None:
    count = predictions.shape[-1]
    rows = predictions.reshape(-1, count).astype(np.float64)
    classes, known = _true_classes(facts, arguments, targets, count)
    if len(classes) != len(rows) or not known.any():
        return None
    classes, rows = classes[known], rows[known]
    rows = _softmax(rows) if logits else rows
    predicted = rows.argmax(-1)
    table = confusion(classes, predicted, count)
    names = [*map(str, labels if len(labels) == count else range(count))]
    scores = class_scores(table, names)
    shown = sorted(np.argsort(-table.sum(1), kind="stable")[:_CURVES])
    roc = [roc_curve(classes == k, rows[:, k], names[k]) for k in range(count)]
    areas = [curve.area for curve in roc if curve is not None]
    precision = (precision_recall_curve(classes == k, rows[:, k], names[k]) for k in shown)
    sure = None
    if facts.outputs == "shares":
        sure = calibration(predicted == classes, np.clip(rows.max(-1), 0, 1))
    return Classes(
        *_largest(names, table),
        accuracy=accuracy(table),
        scores=tuple(scores),
        roc=tuple(_known(roc[k] for k in shown)),
        precision=tuple(_known(precision)),
        macro_auc=float(np.mean(areas)) if len(areas) == count else None,
        calibration=sure,
    )


def _true_classes(
    facts: LossFacts, arguments: Mapping[str, Any], targets: Array, count: int
) -> tuple[Array, Array]:
    """Return the class of each row of targets, and whether it has a class that counts."""
    if facts.targets == "ids":
        classes = targets.reshape(-1).astype(np.int64)
        ignored = arguments.get("ignore_class")
        known = (classes >= 0) & (classes < count)
        known &= classes != ignored if isinstance(ignored, int) else True
        return classes, known
    shares = targets.reshape(-1, count)
    return shares.argmax(-1), shares.sum(-1) > 0


def _largest(names: list[str], table: Array) -> tuple[tuple[str, ...], Array]:
    """Return the table of the most frequent classes; the others share the last row and column."""
    if len(names) <= MOST_CLASSES:
        return tuple(names), table
    frequent = np.sort(np.argsort(-table.sum(1), kind="stable")[: MOST_CLASSES - 1])
    place = np.full(len(names), MOST_CLASSES - 1)
    place[frequent] = np.arange(MOST_CLASSES - 1)
    small = np.zeros((MOST_CLASSES, MOST_CLASSES), np.int64)
    np.add.at(small, (place[:, None], place[None, :]), table)
    return (*(names[k] for k in frequent), _OTHERS), small


def _labels(
    targets: Array,
    predictions: Array,
    known: Sequence[str | int],
    *,
    logits: bool,
    scored: bool,
) -> Classes | Labels | None:
    units = predictions.shape[-1] if predictions.ndim > 1 else 1
    if targets.size != predictions.size:
        return None
    truth = targets.reshape(-1, units) > (0 if scored else 0.5)
    values = predictions.reshape(-1, units).astype(np.float64)
    bound = 0.0 if scored else 0.5
    values = 1 / (1 + np.exp(-np.clip(values, -500, 500))) if logits else values
    said = values > bound
    sure = None if scored else calibration(truth.reshape(-1), np.clip(values.reshape(-1), 0, 1))
    first = range(min(units, _CURVES))
    names = ["1"] if units == 1 else [str(k) for k in range(units)]
    roc = tuple(_known(roc_curve(truth[:, k], values[:, k], names[k]) for k in first))
    precision = tuple(
        _known(precision_recall_curve(truth[:, k], values[:, k], names[k]) for k in first)
    )
    if units == 1:
        table = confusion(truth[:, 0], said[:, 0], 2)
        low, high = known if len(known) == len(("no", "yes")) else ("0", "1")
        low = "-1" if scored and targets.min() < 0 else str(low)
        area = roc[0].area if roc else None
        scores = tuple(class_scores(table, (low, str(high))))
        return Classes((low, str(high)), table, accuracy(table), scores, roc, precision, area, sure)
    scores = tuple(
        class_scores(confusion(truth[:, k], said[:, k], 2), ("", names[k]))[1] for k in range(units)
    )
    return Labels(scores, roc, precision, sure)


def _known(curves: Any) -> Iterator[Curve]:
    return (thinned(curve) for curve in curves if curve is not None)


def _softmax(rows: Array) -> Array:
    powers = np.exp(rows - rows.max(-1, keepdims=True))
    shares: Array = powers / powers.sum(-1, keepdims=True)
    return shares

"""The quality of an output with classes: from targets and predictions to tables and curves.

The definitions are scikit-learn's. Arrays have a sample for each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BINS = 10
"""The number of bins of a calibration curve, equally wide."""


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The scores of one class; ``support`` is the number of its samples."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, and its ``area``: of ROC the AUC, of precision the average precision."""

    name: str
    x: Array
    y: Array
    area: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Mean confidence, share of correct samples and number of samples of each non-empty bin.

    ``error`` is the mean difference of the two, weighted by samples.
    """

    confidence: Array
    correct: Array
    counts: Array
    error: float


def confusion(classes: Array, predicted: Array, count: int) -> Array:
    """Return a table of counts: a row for each true class, a column for each predicted one."""
    flat = classes.astype(np.int64) * count + predicted.astype(np.int64)
    return np.bincount(flat, minlength=count * count).reshape(count, count)


def class_scores(table: Array, names: Sequence[str]) -> list[ClassScores]:
    """Return precision, recall and F1 by class; 0 in place of a division by zero."""
    hits = np.diag(table)
    precision = _ratio(hits, table.sum(0))
    recall = _ratio(hits, table.sum(1))
    f1 = _ratio(2 * hits, table.sum(0) + table.sum(1))
    rows = zip(names, precision, recall, f1, table.sum(1), strict=True)
    return [ClassScores(name, float(p), float(r), float(f), int(n)) for name, p, r, f, n in rows]


def accuracy(table: Array) -> float:
    return float(np.trace(table) / max(table.sum(), 1))


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


def roc_curve(positive: Array, scores: Array, name: str = "") -> Curve | None:
    """Return false against true positive rates; None if all samples are of one kind."""
    hits, misses = _counts(positive, scores)
    if not hits[-1] or not misses[-1]:
        return None
    x = np.concatenate([[0.0], misses / misses[-1]])
    y = np.concatenate([[0.0], hits / hits[-1]])
    return Curve(name, x, y, _area(x, y))


def precision_recall_curve(positive: Array, scores: Array, name: str = "") -> Curve | None:
    """Return recall against precision; None if no sample is positive."""
    hits, misses = _counts(positive, scores)
    if not hits[-1]:
        return None
    precision, recall = hits / (hits + misses), hits / hits[-1]
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return Curve(name, np.concatenate([[0.0], recall]), np.concatenate([[1.0], precision]), average)


def _area(x: Array, y: Array) -> float:
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def _counts(positive: Array, scores: Array) -> tuple[Array, Array]:
    """Return true and false positives at each bound, from the highest score to the lowest."""
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], positive[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    hits = np.cumsum(truth)[last]
    return hits, last + 1 - hits


def calibration(correct: Array, confidence: Array) -> Calibration:
    """Return the share of correct samples by predicted confidence, from 0 to 1."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    bins = np.searchsorted(edges[1:-1], confidence)
    counts = np.bincount(bins, minlength=BINS)
    used = counts > 0
    mean = np.bincount(bins, confidence, minlength=BINS)[used] / counts[used]
    share = np.bincount(bins, correct.astype(np.float64), minlength=BINS)[used] / counts[used]
    error = float(np.sum(counts[used] * np.abs(mean - share)) / max(len(confidence), 1))
    return Calibration(mean, share, counts[used], error)


def thinned(curve: Curve, most: int = 200) -> Curve:
    """Return the same curve with fewer points, including its ends; the area is not changed."""
    if len(curve.x) <= most:
        return curve
    kept = np.unique(np.linspace(0, len(curve.x) - 1, most).astype(np.int64))
    return Curve(curve.name, curve.x[kept], curve.y[kept], curve.area)

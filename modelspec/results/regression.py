"""The quality of an output that predicts quantities, by scikit-learn's definitions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_BINS = 30
_POINTS = 600


@dataclass(frozen=True, slots=True)
class Fit:
    """Errors over all values, some points of predicted against true, and residuals by bin.

    ``r2`` is None where the targets do not vary. A residual is the true value less the predicted.
    """

    mae: float
    rmse: float
    median: float
    bias: float
    r2: float | None
    true: Array
    predicted: Array
    edges: Array
    counts: Array


def fit(true: Array, predicted: Array) -> Fit:
    """Compare rows of true values with rows of predicted ones."""
    rows = len(true)
    true = true.reshape(rows, -1).astype(np.float64)
    predicted = predicted.reshape(rows, -1).astype(np.float64)
    residuals = true - predicted
    shown = np.linspace(0, true.size - 1, min(_POINTS, true.size)).astype(np.int64)
    finite = residuals[np.isfinite(residuals)]
    counts, edges = np.histogram(finite, bins=_BINS)
    return Fit(
        mae=float(np.abs(residuals).mean()),
        rmse=float(np.sqrt(np.square(residuals).mean())),
        median=float(np.median(np.abs(residuals))),
        bias=float(residuals.mean()),
        r2=_r2(true, residuals),
        true=true.reshape(-1)[shown],
        predicted=predicted.reshape(-1)[shown],
        edges=edges,
        counts=counts,
    )


def _r2(true: Array, residuals: Array) -> float | None:
    """Return the mean over the units whose targets vary; None without any."""
    spread = np.square(true - true.mean(0)).sum(0)
    left = np.square(residuals).sum(0)
    varies = spread > 0
    return float((1 - left[varies] / spread[varies]).mean()) if varies.any() else None

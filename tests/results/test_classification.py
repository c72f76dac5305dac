"""Figures of classes and quantities, against scikit-learn on the same predictions."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import calibration as sk_calibration
from sklearn import metrics

from modelspec.results.classification import (
    calibration,
    class_scores,
    confusion,
    precision_recall_curve,
    roc_curve,
    thinned,
)
from modelspec.results.regression import fit

SEEDS = (0, 1, 2, 3)


def classes(
    seed: int, count: int = 5, rows: int = 400
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """True classes, one of them without samples, and shares that lean to them."""
    random = np.random.default_rng(seed)
    true = random.integers(0, count - 1, rows)
    shares = random.dirichlet(np.ones(count), rows) + 0.5 * np.eye(count)[true]
    return true, shares / shares.sum(1, keepdims=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_tables_and_scores_by_class(seed: int) -> None:
    true, shares = classes(seed)
    predicted, names = shares.argmax(1), [str(k) for k in range(5)]
    table = confusion(true, predicted, 5)
    assert np.array_equal(table, metrics.confusion_matrix(true, predicted, labels=range(5)))
    theirs = metrics.precision_recall_fscore_support(
        true, predicted, labels=range(5), zero_division=0
    )
    scores = class_scores(table, names)
    ours = np.array([[s.precision, s.recall, s.f1, s.support] for s in scores]).T
    np.testing.assert_allclose(ours, np.array(theirs, float), rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("digits", [16, 1])
def test_curves_with_and_without_equal_scores(seed: int, digits: int) -> None:
    random = np.random.default_rng(seed)
    positive = random.random(500) < 0.3
    scores = np.round(random.normal(positive), digits)
    roc, pr = roc_curve(positive, scores), precision_recall_curve(positive, scores)
    assert roc is not None
    assert pr is not None
    assert roc.area == pytest.approx(metrics.roc_auc_score(positive, scores), rel=1e-12)
    average = metrics.average_precision_score(positive, scores)
    assert pr.area == pytest.approx(average, rel=1e-12)
    x, y, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose((roc.x, roc.y), (x, y), rtol=1e-12)
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    np.testing.assert_allclose((pr.x, pr.y), (recall[::-1], precision[::-1]), rtol=1e-12)
    few = thinned(roc, 20)
    assert len(few.x) <= 20
    assert (few.x[0], few.x[-1], few.area) == (0, 1, roc.area)


@pytest.mark.parametrize("seed", SEEDS)
def test_calibration(seed: int) -> None:
    random = np.random.default_rng(seed)
    confidence = np.append(random.beta(2, 1, 700), [0.0, 0.1, 0.5, 1.0])
    correct = random.random(704) < confidence**1.5
    ours = calibration(correct, confidence)
    share, mean = sk_calibration.calibration_curve(correct, confidence, n_bins=10)
    np.testing.assert_allclose((ours.correct, ours.confidence), (share, mean), rtol=1e-12)
    assert ours.counts.sum() == 704


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("units", [1, 3])
def test_errors_of_quantities(seed: int, units: int) -> None:
    random = np.random.default_rng(seed)
    true = random.normal(size=(300, units)) * 10
    predicted = true + random.normal(size=(300, units))
    ours = fit(true, predicted)
    assert ours.mae == pytest.approx(metrics.mean_absolute_error(true, predicted), rel=1e-12)
    assert ours.rmse**2 == pytest.approx(metrics.mean_squared_error(true, predicted), rel=1e-12)
    assert ours.r2 == pytest.approx(metrics.r2_score(true, predicted), rel=1e-12)
    flat = metrics.median_absolute_error(true.ravel(), predicted.ravel())
    assert ours.median == pytest.approx(flat, rel=1e-12)
    assert ours.counts.sum() == 300 * units


def test_what_cannot_be_computed_is_left_out() -> None:
    ones, scores = np.ones(4, bool), np.arange(4.0)
    assert roc_curve(ones, scores) is None
    assert roc_curve(~ones, scores) is None
    assert precision_recall_curve(~ones, scores) is None
    assert fit(np.ones((3, 1)), np.zeros((3, 1))).r2 is None

"""The facts about losses and metrics against the installed Keras."""

from typing import Any

import keras
import numpy as np
import pytest

from modelspec.catalog import load
from modelspec.catalog.losses import LOSSES, is_regression, loss_facts, named_loss, read_object
from modelspec.catalog.metrics import METRICS, metric_facts

pytestmark = pytest.mark.keras

CATALOG = load()
_LOGITS = np.random.default_rng(3).normal(size=(64, 1)).astype("f")
_SHARES = 1 / (1 + np.exp(-_LOGITS))
_TRUTH = (np.random.default_rng(4).random((64, 1)) < _SHARES).astype("f")
_REQUIRED = {"recall": 0.5, "precision": 0.5, "specificity": 0.5, "sensitivity": 0.5}


def test_every_loss_has_a_row() -> None:
    for name in CATALOG.known("loss"):
        assert read_object(CATALOG, "loss", name)[0] in LOSSES
        assert named_loss(name, (1,), None)[0] in LOSSES, name


def test_no_row_is_of_a_loss_that_keras_lacks() -> None:
    offered = {read_object(CATALOG, "loss", name)[0] for name in CATALOG.known("loss")}
    assert set(LOSSES) == offered


def test_every_metric_has_a_row() -> None:
    offered = {read_object(CATALOG, "metric", name)[0] for name in CATALOG.known("metric")}
    assert set(METRICS) == offered


@pytest.mark.parametrize("name", [loss for loss in CATALOG.names("loss") if loss[0].isupper()])
def test_losses_that_take_logits(name: str) -> None:
    entry = CATALOG.find("loss", name)
    facts = loss_facts(name, (3,))
    assert entry is not None
    assert facts is not None
    assert facts.from_logits == ("from_logits" in entry.arguments)


def _classes(reads: set[str]) -> list[str]:
    return [
        name
        for name in CATALOG.names("metric")
        if name[0].isupper()
        and (facts := METRICS[name.lower()]) is not None
        and facts.reads in reads
        and facts.targets == "binary"
    ]


def _value(name: str, predictions: Any, **arguments: Any) -> Any:
    entry = CATALOG.find("metric", name)
    assert entry is not None
    required = {key: value for key, value in _REQUIRED.items() if key in entry.arguments}
    metric = getattr(keras.metrics, name)(**required, **arguments)
    metric.update_state(_TRUTH, predictions)
    return np.asarray(metric.result())


@pytest.mark.parametrize("name", _classes({"threshold", "curve", "shares"}))
def test_the_argument_for_logits_gives_what_probabilities_give(name: str) -> None:
    facts = METRICS[name.lower()]
    assert facts is not None
    right = _value(name, _SHARES)
    if facts.for_logits:
        key, _, value = facts.for_logits.partition(": ")
        arguments = {key: True if value == "true" else float(value)}
        np.testing.assert_allclose(_value(name, _LOGITS, **arguments), right, rtol=1e-5)
    assert not np.allclose(_value(name, _LOGITS), right, rtol=1e-3)


@pytest.mark.parametrize("name", ["F1Score", "FBetaScore", "R2Score", "AUC", "BinaryIoU"])
def test_metrics_that_refuse_flat_targets(name: str) -> None:
    facts = METRICS[name.lower()]
    assert facts is not None
    metric = getattr(keras.metrics, name)()
    if facts.rows:
        with pytest.raises(ValueError, match=r"rank|shape|2D"):
            metric.update_state(_TRUTH[:, 0], _SHARES)
    else:
        metric.update_state(_TRUTH[:, 0], _SHARES)


@pytest.mark.parametrize(
    ("name", "arguments", "targets", "reads"),
    [
        ("MeanIoU", {}, "ids", "ids"),
        ("MeanIoU", {"sparse_y_pred": False}, "ids", "largest"),
        ("IoU", {"sparse_y_true": False, "sparse_y_pred": False}, "one-hot", "largest"),
        ("OneHotIoU", {}, "one-hot", "largest"),
        ("OneHotMeanIoU", {"sparse_y_pred": True}, "one-hot", "ids"),
        ("F1Score", {}, "one-hot", "largest"),
        ("F1Score", {"threshold": 0.5}, "binary", "threshold"),
    ],
)
def test_arguments_change_what_a_metric_takes(
    name: str, arguments: dict[str, Any], targets: str, reads: str
) -> None:
    facts = metric_facts(name, arguments, text=False)
    assert facts is not None
    assert (facts.targets, facts.reads) == (targets, reads)


@pytest.mark.parametrize("loss", ["mse", "MAE", "huber", {"LogCosh": {}}, "mape"])
def test_losses_of_quantities(loss: Any) -> None:
    assert is_regression(loss)


@pytest.mark.parametrize("loss", ["poisson", "bce", "kld", "hinge", "CTC", None])
def test_losses_of_other_things(loss: Any) -> None:
    assert not is_regression(loss)

"""Names of logs are Keras's, and callbacks' monitors are held against them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import modelspec
from modelspec.problems.errors import SpecError

pytestmark = pytest.mark.keras

_RANDOM = np.random.default_rng(0)
X = _RANDOM.normal(size=(64, 4)).astype("f")
FLAT = (X[:, 0] > 0.3).astype("int64")


def spec(metrics: str, callbacks: str = "[]", units: int = 1, more: str = "") -> str:
    activation, loss = ("sigmoid", "binary_crossentropy")
    return (
        "modelspec: 1\ninputs: {x: {shape: [4]}}\nlayers:\n"
        f"  - Dense: {{units: {units}, activation: {activation}}}\n    name: y\noutputs: y\n"
        f"losses: {loss}\nmetrics: {metrics}\noptimizer: {{SGD: {{learning_rate: 0.1}}}}\n{more}"
        "training:\n  epochs: 3\n  validation_split: 0.25\n  shuffle: false\n"
        f"  callbacks: {callbacks}\n"
    )


def train(text: str, folder: Path, y: Any = FLAT, **arrays: Any) -> Any:
    np.savez(folder / "d.npz", x=X, y=y, **arrays)
    return modelspec.train(modelspec.loads(text), folder / "d.npz", run=folder / "run")


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("{F1Score: {threshold: 0.5}}", "f1_score"),
        ("{FBetaScore: {threshold: 0.5, name: fb}}", "fb"),
        ("{R2Score: {class_aggregation: null}}", "r2_score"),
        ("{CosineSimilarity: {axis: -1}}", "cosine_similarity"),
    ],
)
@pytest.mark.parametrize("shape", [(64,), pytest.param((64, 1), marks=pytest.mark.sweep)])
def test_one_value_has_its_metrics_name(
    metric: str, name: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    """Flat labels too, which Keras's own ``F1Score`` refuses."""
    record = train(spec(f"[{metric}]"), tmp_path, FLAT.reshape(shape)).history[-1]
    assert {name, f"val_{name}"} < set(record)
    assert not any(f"{name}_" in key for key in record)


def test_flat_labels_give_the_numbers_of_a_column(tmp_path: Path) -> None:
    records = []
    for number, y in enumerate((FLAT, FLAT[:, None])):
        folder = tmp_path / str(number)
        folder.mkdir()
        weights = np.linspace(0.5, 2, 64).astype("f")
        text = spec("[accuracy, AUC, {F1Score: {threshold: 0.5}}]")
        records.append(train(text, folder, y, y_weight=weights).history[-1])
    for record in records:
        del record["seconds"]
    assert records[0] == records[1]


def test_several_values_are_numbered(tmp_path: Path) -> None:
    rows = (X[:, :3] > 0.3).astype("f")
    record = train(spec("[{F1Score: {threshold: 0.5}}]", units=3), tmp_path, rows).history[-1]
    assert {"f1_score_0", "f1_score_2", "val_f1_score_1"} < set(record)


@pytest.mark.parametrize("factor", [0.5, 0.1])
def test_the_learning_rate_is_logged_where_keras_logs_it(factor: float, tmp_path: Path) -> None:
    callbacks = (
        f"[{{ReduceLROnPlateau: {{monitor: loss, factor: {factor}, patience: 1, min_delta: 9}}}}]"
    )
    records = train(spec("[]", callbacks), tmp_path).history
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    plain.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    watching = keras.callbacks.ReduceLROnPlateau("loss", factor, 1, min_delta=9)
    history = plain.fit(X, FLAT, epochs=3, callbacks=[watching], verbose=0).history
    assert [record["learning_rate"] for record in records] == pytest.approx(
        [float(rate) for rate in history["learning_rate"]]
    )


def test_no_learning_rate_where_no_callback_logs_it(tmp_path: Path) -> None:
    record = train(spec("[]", "[EarlyStopping]"), tmp_path).history[0]
    assert "learning_rate" not in record


def test_a_stop_by_a_metric_of_one_value(tmp_path: Path) -> None:
    callbacks = "[{EarlyStopping: {monitor: val_f1_score, mode: max, patience: 1, min_delta: 2}}]"
    run = train(spec("[{F1Score: {threshold: 0.5}}]", callbacks), tmp_path)
    assert len(run.history) == 2


@pytest.mark.parametrize(
    ("callback", "units", "missing"),
    [
        ("EarlyStopping: {monitor: f1_score, mode: max}", 3, "f1_score_2"),
        ("EarlyStopping: {monitor: val_f1_score, mode: max}", 3, "f1_score_2"),
        ("ReduceLROnPlateau: {monitor: f1_score_0, mode: max}", 1, "f1_score"),
        ("EarlyStopping: {monitor: learning_rate, mode: max}", 1, "f1_score"),
        (
            "ModelCheckpoint: {filepath: a.keras, monitor: f1_score_7, save_best_only: true}",
            3,
            "f1_score_2",
        ),
    ],
)
def test_a_monitor_that_no_epoch_logs(
    callback: str, units: int, missing: str, tmp_path: Path
) -> None:
    y = (X[:, :units] > 0.3).astype("f")
    text = spec("[{F1Score: {threshold: 0.5}}]", f"[{{{callback}}}]", units)
    with pytest.raises(SpecError) as raised:
        train(text, tmp_path, y)
    [problem] = raised.value.problems
    assert problem.code == "unknown-monitor"
    assert problem.place.span.line == 14
    assert missing in (problem.hint or "")


@pytest.mark.parametrize(
    ("metrics", "units", "monitor", "logged"),
    [
        ("[{F1Score: {threshold: 0.5}}]", 1, "val_f1_score_0", False),
        ("[{F1Score: {threshold: 0.5}}]", 1, "val_f1_score", True),
        ("[{FBetaScore: {threshold: 0.5}}]", 3, "fbeta_score_2", True),
        ("[{FBetaScore: {threshold: 0.5}}]", 3, "fbeta_score_3", False),
        ("[{FBetaScore: {threshold: 0.5}}]", 3, "fbeta_score", False),
        ("[{F1Score: {threshold: 0.5, average: micro}}]", 3, "f1_score", True),
        ("[{F1Score: {threshold: 0.5, average: micro}}]", 3, "f1_score_0", False),
        ("[{AUC: {}}]", 1, "auc_1", False),
        ("[{Precision: {thresholds: [0.3, 0.5]}}]", 1, "precision_1", True),
        ("[{Precision: {thresholds: 0.3}}]", 1, "precision_1", False),
        ("[{R2Score: {class_aggregation: null}}]", 3, "r2_score_2", True),
        ("[{AUC: {}}, {AUC: {curve: PR}}]", 1, "auc_1", True),
    ],
)
def test_check_knows_the_names_of_several_values(
    metrics: str,
    units: int,
    monitor: str,
    logged: bool,  # noqa: FBT001 - of a table
) -> None:
    callbacks = f"[{{EarlyStopping: {{monitor: {monitor}, mode: max}}}}]"
    codes = [problem.code for problem in modelspec.loads(spec(metrics, callbacks, units)).problems]
    assert codes == [] if logged else ["unknown-monitor"]


def test_a_checkpoint_of_every_epoch_watches_nothing(tmp_path: Path) -> None:
    callbacks = "[{ModelCheckpoint: {filepath: a.keras}}]"
    text = spec("[]", callbacks).replace("validation_split: 0.25", "validation_split: 0.0")
    assert len(train(text, tmp_path).history) == 3


@pytest.mark.parametrize(
    ("metrics", "weighted", "monitor"),
    [
        ("accuracy", "accuracy", "weighted_accuracy"),
        ("[{AUC: {curve: ROC}}, {AUC: {curve: PR}}]", "null", "auc_1"),
        ("mae", "[mse, mae]", "weighted_mae"),
    ],
)
def test_names_of_metrics_that_meet(
    metrics: str, weighted: str, monitor: str, tmp_path: Path
) -> None:
    callbacks = f"[{{EarlyStopping: {{monitor: {monitor}, mode: max, patience: 9}}}}]"
    text = spec(metrics, callbacks, more=f"weighted_metrics: {weighted}\n")
    assert modelspec.loads(text).problems == []
    assert monitor in train(text, tmp_path).history[0]


@pytest.mark.parametrize(
    ("metrics", "names"),
    [
        ("[AUC, {AUC: {curve: PR}}]", "AUC and auc"),
        ("[accuracy, {BinaryAccuracy: {name: Accuracy, threshold: 0.4}}]", "accuracy and Accuracy"),
        ("[MSE, {MeanSquaredError: {name: mse}}]", "MSE and mse"),
    ],
)
def test_names_that_differ_in_case_alone(metrics: str, names: str) -> None:
    [problem] = modelspec.loads(spec(metrics)).problems
    assert (problem.code, problem.severity) == ("similar-names", "warning")
    assert names in problem.message


@pytest.mark.parametrize(
    ("callback", "named"),
    [
        ("EarlyStopping", "val_loss"),
        ("EarlyStopping: {patience: 3}", "val_loss"),
        ("ReduceLROnPlateau: {factor: 0.5}", "val_loss"),
        ("EarlyStopping: {monitor: val_accuracy, mode: max}", "val_accuracy"),
        ("ModelCheckpoint: {filepath: a.keras, save_best_only: true}", "val_loss"),
        ("ModelCheckpoint: {filepath: a.keras}", None),
        ("EarlyStopping: {monitor: loss}", None),
        ("TerminateOnNaN", None),
    ],
)
def test_check_tells_of_callbacks_without_validation(
    callback: str, named: str | None, tmp_path: Path
) -> None:
    items = f"[{{{callback}}}]" if ":" in callback else f"[{callback}]"
    text = spec("accuracy", items)
    np.savez(tmp_path / "d.npz", x=X, y=FLAT)
    assert modelspec.loads(text).check(tmp_path / "d.npz") == []
    without = modelspec.loads(text.replace("validation_split: 0.25", "validation_split: 0.0"))
    assert without.check() == []
    problems = without.check(tmp_path / "d.npz")
    assert [problem.code for problem in problems] == (["no-validation"] if named else [])
    assert all(f"there is no {named}, so" in problem.message for problem in problems)
    np.savez(tmp_path / "v.npz", x_train=X, y_train=FLAT, x_val=X, y_val=FLAT)
    assert without.check(tmp_path / "v.npz") == []

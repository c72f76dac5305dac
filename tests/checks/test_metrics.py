"""Metrics whose number would mislead, by the graph alone and by the values of the data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelspec
from modelspec.api.balance import measure
from modelspec.problems.errors import SpecError
from modelspec.problems.problem import Problem

pytestmark = pytest.mark.keras

LOGITS = "{BinaryCrossentropy: {from_logits: true}}"
SPARSE_LOGITS = "{SparseCategoricalCrossentropy: {from_logits: true}}"
SPARSE, ONE_HOT, BINARY = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)


def spec(last: str, loss: str, metrics: str, more: str = "") -> str:
    return (
        f"modelspec: 1\ninputs: {{x: {{shape: [4]}}}}\nlayers:\n  - {last}\n    name: y\n"
        f"outputs: y\nlosses: {loss}\nmetrics: {metrics}\n{more}"
    )


def dense(units: int, activation: str = "linear") -> str:
    return f"Dense: {{units: {units}, activation: {activation}}}"


def check(text: str) -> list[Problem]:
    return modelspec.loads(text).problems


def with_data(text: str, folder: Path, **arrays: Any) -> list[Problem]:
    rows = len(arrays["y"])
    np.savez(folder / "d.npz", x=np.zeros((rows, 4), "f"), **arrays)
    return modelspec.loads(text).check(folder / "d.npz")


@pytest.mark.parametrize(
    ("loss", "metrics", "codes"),
    [
        ("mape", "null", ["loss-mismatch"]),
        ("MeanAbsolutePercentageError", "mae", ["loss-mismatch"]),
        ("mse", "[mape, mae]", ["metric-mismatch"]),
        ("mape", "MeanAbsolutePercentageError", ["loss-mismatch", "metric-mismatch"]),
        ("mae", "mse", []),
    ],
)
def test_percentages_of_zeros(loss: str, metrics: str, codes: list[str], tmp_path: Path) -> None:
    text = spec(dense(1), loss, metrics)
    problems = with_data(text, tmp_path, y=np.arange(6.0))
    assert [problem.code for problem in problems] == codes
    assert all("1 zero," in problem.message for problem in problems)
    assert with_data(text, tmp_path, y=np.arange(1.0, 7.0)) == []


@pytest.mark.parametrize(
    ("last", "metric"),
    [
        (dense(5), "{TopKCategoricalAccuracy: {k: 4}}"),
        (dense(6), "TopKCategoricalAccuracy"),
        (dense(2), "PearsonCorrelation"),
        (dense(1), "{PearsonCorrelation: {axis: 0}}"),
        (dense(2), "CosineSimilarity"),
    ],
)
def test_no_alarm_of_metrics_of_rows(last: str, metric: str) -> None:
    assert check(spec(last, "categorical_hinge" if "Top" in metric else "mse", metric)) == []


@pytest.mark.parametrize(
    ("split", "severity"),
    [("0.99", "error"), ("{last: 0.99}", "error"), ("0.01", "warning"), ("0.2", None)],
)
def test_splits_that_leave_nothing(split: str, severity: str | None, tmp_path: Path) -> None:
    text = spec(dense(1), "mse", "null", f"training: {{validation_split: {split}}}\n")
    problems = with_data(text, tmp_path, y=np.arange(6.0))
    assert [problem.severity for problem in problems] == ([severity] if severity else [])
    if problems:
        assert problems[0].place.span.line == 9


@pytest.mark.parametrize(
    ("steps", "more", "told"),
    [
        (6, "", False),
        (7, "", True),
        (6, ", validation_split: 0.5", True),
        (3, ", validation_split: 0.5", False),
    ],
)
def test_gradients_that_are_only_gathered(
    *, steps: int, more: str, told: bool, tmp_path: Path
) -> None:
    """Six rows are three steps, or two after the split, in each of two epochs."""
    optimizer = f"optimizer: {{SGD: {{gradient_accumulation_steps: {steps}}}}}\n"
    training = f"training: {{epochs: 2, batch_size: 2{more}}}\n"
    problems = with_data(
        spec(dense(1), "mse", "null", optimizer + training), tmp_path, y=np.arange(6.0)
    )
    assert [problem.code for problem in problems] == ["wrong-value"] * told
    assert all("no weight is ever updated" in problem.message for problem in problems)


@pytest.mark.parametrize(
    ("units", "loss", "metric", "instead"),
    [
        (1, LOGITS, "accuracy", "BinaryAccuracy: {threshold: 0}"),
        (1, LOGITS, "acc", "BinaryAccuracy: {threshold: 0}"),
        (1, LOGITS, "BinaryAccuracy", "BinaryAccuracy: {threshold: 0}"),
        (1, LOGITS, "{BinaryAccuracy: {threshold: 0.4}}", "BinaryAccuracy: {threshold: 0}"),
        (1, LOGITS, "AUC", "AUC: {from_logits: true}"),
        (1, LOGITS, "{AUC: {curve: PR}}", "AUC: {curve: PR, from_logits: true}"),
        (1, LOGITS, "Precision", "Precision: {thresholds: 0}"),
        (1, LOGITS, "{Recall: {thresholds: [0.3, 0.7]}}", "Recall: {thresholds: 0}"),
        (1, LOGITS, "TruePositives", "TruePositives: {thresholds: 0}"),
        (1, LOGITS, "BinaryIoU", "BinaryIoU: {threshold: 0}"),
        (1, LOGITS, "bce", "BinaryCrossentropy: {from_logits: true}"),
        (1, LOGITS, "{F1Score: {threshold: 0.5}}", "end y in activation: sigmoid"),
        (1, LOGITS, "{RecallAtPrecision: {precision: 0.5}}", "end y in activation: sigmoid"),
        (1, LOGITS, "mse", "end y in activation: sigmoid"),
        (6, LOGITS, "AUC", "AUC: {from_logits: true}"),
        (
            3,
            SPARSE_LOGITS,
            "sparse_categorical_crossentropy",
            "SparseCategoricalCrossentropy: {from_logits: true}",
        ),
        (
            3,
            "{CategoricalCrossentropy: {from_logits: true}}",
            "AUC",
            "end y in activation: softmax",
        ),
        (1, "{BinaryFocalCrossentropy: {from_logits: true}}", "accuracy", "threshold: 0}"),
        (1, "hinge", "accuracy", "BinaryAccuracy: {threshold: 0}"),
        (1, "squared_hinge", "AUC", "sigmoid"),
    ],
)
def test_metrics_of_logits(units: int, loss: str, metric: str, instead: str) -> None:
    [problem] = check(spec(dense(units), loss, metric))
    assert (problem.code, problem.severity) == ("metric-mismatch", "warning")
    assert problem.place.span.line == 8
    assert instead in (problem.hint or "")


@pytest.mark.parametrize(
    ("units", "loss", "metric"),
    [
        (1, LOGITS, "{BinaryAccuracy: {threshold: 0}}"),
        (1, LOGITS, "{AUC: {from_logits: true}}"),
        (1, LOGITS, "{Precision: {thresholds: 0}}"),
        (1, LOGITS, "{Precision: {thresholds: [0, 2]}}"),
        (1, LOGITS, "hinge"),
        (3, SPARSE_LOGITS, "accuracy"),
        (6, SPARSE_LOGITS, "sparse_top_k_categorical_accuracy"),
        (3, "{CategoricalCrossentropy: {from_logits: true}}", "[accuracy, F1Score]"),
        (1, "hinge", "[hinge, {BinaryAccuracy: {threshold: 0}}, mae]"),
    ],
)
def test_metrics_that_take_logits(units: int, loss: str, metric: str) -> None:
    assert check(spec(dense(units), loss, metric)) == []


def test_the_way_out_for_logits_gives_the_numbers_of_probabilities(tmp_path: Path) -> None:
    """The metrics of the hint on logits, and Keras's plain ones on a sigmoid, are equal."""
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 4)).astype("f")
    y = (random.random(400) < 1 / (1 + np.exp(-x[:, 0]))).astype("f")
    np.savez(tmp_path / "d.npz", x=x, y=y)
    more = "optimizer: {SGD: {learning_rate: 0.1}}\ntraining: {epochs: 1}\n"
    texts = (
        spec(
            dense(1), LOGITS, "[{BinaryAccuracy: {threshold: 0}}, {AUC: {from_logits: true}}]", more
        ),
        spec(dense(1, "sigmoid"), BINARY, "[{BinaryAccuracy: {}}, {AUC: {}}]", more),
    )
    runs = [
        modelspec.train(modelspec.loads(text), tmp_path / "d.npz", run=tmp_path / f"run{number}")
        for number, text in enumerate(texts)
    ]
    one, other = (run.history[0] for run in runs)
    assert one["binary_accuracy"] == pytest.approx(other["binary_accuracy"], rel=1e-5)
    assert one["auc"] == pytest.approx(other["auc"], rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "metrics", "instead"),
    [
        (BINARY, "[accuracy, AUC]", "BinaryAccuracy: {threshold: 0}, AUC: {from_logits: true}"),
        (BINARY, "Precision", "Precision: {thresholds: 0}"),
        (SPARSE, SPARSE, "SparseCategoricalCrossentropy: {from_logits: true}"),
    ],
)
def test_the_hint_that_leads_to_logits_tells_of_metrics(
    loss: str, metrics: str, instead: str
) -> None:
    units = 1 if loss == BINARY else 3
    [problem] = check(spec(dense(units), loss, metrics))
    assert problem.code == "loss-mismatch"
    assert instead in (problem.hint or "")


@pytest.mark.parametrize("loss", ["dice", "kld", "CategoricalGeneralizedCrossEntropy", "tversky"])
def test_no_hint_of_logits_where_a_loss_takes_none(loss: str) -> None:
    [problem] = check(spec(dense(3), loss, "null"))
    assert problem.code == "loss-mismatch"
    assert "from_logits" not in (problem.hint or "")


@pytest.mark.parametrize("activation", ["linear", "tanh", "gelu"])
def test_poisson_of_values_below_zero(activation: str) -> None:
    [problem] = check(spec(dense(1, activation), "poisson", "null"))
    assert "softplus" in (problem.hint or "")


@pytest.mark.parametrize(
    ("units", "loss", "metric", "hint"),
    [
        (3, SPARSE, "{MeanIoU: {num_classes: 3}}", "sparse_y_true: true, sparse_y_pred: false"),
        (3, SPARSE, "{OneHotMeanIoU: {num_classes: 3}}", "MeanIoU: {num_classes: 3, sparse_y_true"),
        (3, ONE_HOT, "{MeanIoU: {num_classes: 3}}", "or OneHotMeanIoU"),
        (3, ONE_HOT, "{IoU: {num_classes: 3, target_class_ids: [1]}}", "or OneHotIoU"),
        (3, ONE_HOT, "{OneHotMeanIoU: {num_classes: 3, sparse_y_pred: true}}", "sparse_y_pred: f"),
        (3, "dice", "{MeanIoU: {num_classes: 3}}", "sparse_y_true: false"),
        (1, BINARY, "{MeanIoU: {num_classes: 2}}", "BinaryIoU"),
        (1, "dice", "{IoU: {num_classes: 2, target_class_ids: [1]}}", "BinaryIoU"),
        (3, SPARSE, "{Accuracy: {}}", "accuracy"),
    ],
)
def test_predictions_are_not_ids(units: int, loss: str, metric: str, hint: str) -> None:
    activation = "softmax" if units > 1 else "sigmoid"
    [problem] = check(spec(dense(units, activation), loss, metric))
    assert (problem.code, problem.severity) == ("metric-mismatch", "error")
    assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        (SPARSE, "{MeanIoU: {num_classes: 3, sparse_y_true: true, sparse_y_pred: false}}"),
        (ONE_HOT, "{OneHotMeanIoU: {num_classes: 3}}"),
        (ONE_HOT, "{MeanIoU: {num_classes: 3, sparse_y_true: false, sparse_y_pred: false}}"),
        ("dice", "{OneHotIoU: {num_classes: 3, target_class_ids: [1]}}"),
    ],
)
def test_the_way_out_for_iou(loss: str, metric: str) -> None:
    assert check(spec(dense(3, "softmax"), loss, metric)) == []


@pytest.mark.parametrize("metric", ["F1Score", "{FBetaScore: {beta: 2.0}}"])
def test_f1_of_one_unit_needs_a_threshold(metric: str) -> None:
    [problem] = check(spec(dense(1, "sigmoid"), BINARY, metric))
    assert "{threshold: 0.5}" in (problem.hint or "")


_TAGS = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]] * 4, "int8")


@pytest.mark.parametrize(
    ("metric", "instead"),
    [
        ("accuracy", "binary_accuracy"),
        ("categorical_accuracy", "binary_accuracy"),
        ("{TopKCategoricalAccuracy: {k: 2}}", "binary_accuracy"),
        ("F1Score", "F1Score: {threshold: 0.5}"),
        ("categorical_crossentropy", "binary_crossentropy"),
    ],
)
def test_several_labels(metric: str, instead: str, tmp_path: Path) -> None:
    [problem] = with_data(spec(dense(3, "sigmoid"), BINARY, metric), tmp_path, y=_TAGS)
    assert (problem.code, problem.severity) == ("metric-mismatch", "warning")
    assert instead in (problem.hint or "")
    assert "first in row 0" in problem.message


@pytest.mark.parametrize("metric", ["binary_accuracy", "AUC", "{F1Score: {threshold: 0.5}}"])
def test_metrics_of_each_label(metric: str, tmp_path: Path) -> None:
    assert with_data(spec(dense(3, "sigmoid"), BINARY, metric), tmp_path, y=_TAGS) == []


def test_one_label_among_sigmoids(tmp_path: Path) -> None:
    rows = np.eye(3)[np.arange(12) % 3]
    assert with_data(spec(dense(3, "sigmoid"), BINARY, "accuracy"), tmp_path, y=rows) == []


def test_tags_for_a_softmax(tmp_path: Path) -> None:
    [problem] = with_data(spec(dense(3, "softmax"), ONE_HOT, "accuracy"), tmp_path, y=_TAGS)
    assert (problem.code, problem.severity) == ("not-one-hot", "warning")


@pytest.mark.parametrize("metric", ["{BinaryAccuracy: {threshold: 0}}", "Precision"])
def test_signs_for_metrics_of_zeros_and_ones(metric: str, tmp_path: Path) -> None:
    signs = np.where(np.arange(12) % 2, 1, -1)
    problems = with_data(spec(dense(1), "hinge", metric), tmp_path, y=signs)
    assert "holds -1, first in row 0" in problems[-1].message
    assert len(with_data(spec(dense(1), "hinge", metric), tmp_path, y=(signs + 1) / 2)) < len(
        problems
    )


@pytest.mark.parametrize(
    ("last", "loss", "targets", "weights"),
    [
        (dense(3, "sigmoid"), BINARY, _TAGS, "{0: 1.0, 1: 2.0}"),
        (dense(3), "mse", np.ones((12, 3)), "{0: 1.0, 1: 2.0}"),
        (dense(1), "mae", np.ones((12, 1)), "{1: 2.0}"),
        (dense(1, "softplus"), "poisson", np.ones((12, 1)), "{1: 2.0}"),
        (dense(1), "hinge", np.full((12, 1), -1.0), "{1: 2.0}"),
        (dense(3, "softmax"), SPARSE, np.arange(12) % 3, "{0: 1.0, 3: 2.0}"),
        (dense(3, "softmax"), ONE_HOT, np.eye(3)[np.arange(12) % 3], "{5: 2.0}"),
        (dense(1, "sigmoid"), BINARY, np.ones((12, 1)), "{0: 1.0, 2: 2.0}"),
    ],
)
def test_class_weights_without_a_class(
    last: str, loss: str, targets: Any, weights: str, tmp_path: Path
) -> None:
    more = f"training: {{class_weights: {{y: {weights}}}}}\n"
    problems = with_data(spec(last, loss, "null", more), tmp_path, y=targets)
    [problem] = [problem for problem in problems if problem.code == "class-weights"]
    assert problem.severity == "error"
    assert problem.place.span.line == 9


def test_class_weights_of_steps_follow_the_ids() -> None:
    """Ids of 0 and 1 by step look like one-hot rows: the loss tells what they are."""
    from modelspec.catalog.losses import outputs_of_ids
    from modelspec.data.batches import Batches
    from modelspec.data.dataset import Dataset

    targets = np.array([[0, 1, 0], [1, 0, 0]])
    dataset = Dataset({"x": np.zeros((2, 4), "f")}, {"y": targets}, {}, {"x": "x", "y": "y"}, 2)
    source = modelspec.loads(spec(dense(2, "softmax"), SPARSE, "null"))
    weights = {"y": {0: 1.0, 1: 5.0}}
    of_ids = outputs_of_ids(source.heads)
    batches = Batches(dataset, np.arange(2), 2, {"x": "float32"}, weights, of_ids)
    [row_weights] = batches.gather(np.arange(2)).weights.values()
    np.testing.assert_array_equal(row_weights, [[1, 5, 1], [5, 1, 1]])


@pytest.mark.parametrize("metrics", ["mae", "[mae, mse]", "RootMeanSquaredError"])
def test_metrics_that_count_rows_of_weight_zero(metrics: str, tmp_path: Path) -> None:
    arrays = {"y": np.array([100, 0, 100, 0], "f"), "y_weight": np.array([1, 0, 1, 0], "f")}
    problems = with_data(spec(dense(1), "mse", metrics), tmp_path, **arrays)
    assert {problem.code for problem in problems} == {"metric-mismatch"}
    assert all("weighted_metrics" in (problem.hint or "") for problem in problems)
    weighted = spec(dense(1), "mse", "null", f"weighted_metrics: {metrics}\n")
    assert with_data(weighted, tmp_path, **arrays) == []


def test_weighted_metrics_are_kerass(tmp_path: Path) -> None:
    arrays = {"y": np.array([100, 0, 100, 0], "f"), "y_weight": np.array([1, 0, 3, 0], "f")}
    text = spec(
        f"{dense(1)[:-1]}, kernel_initializer: zeros}}",
        "mse",
        "mae",
        "weighted_metrics: {MeanAbsoluteError: {name: weighted_mae}}\n"
        "optimizer: {SGD: {learning_rate: 0.0}}\ntraining: {epochs: 1}\n",
    )
    with_data(text, tmp_path, **arrays)
    run = modelspec.train(modelspec.loads(text), tmp_path / "d.npz", run=tmp_path / "run")
    assert run.history[0]["mae"] == pytest.approx(50)
    assert run.history[0]["weighted_mae"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("loss", "targets", "hint"),
    [
        (BINARY, [-1, 0, 1, 1], "y_weight"),
        (BINARY, [-1, 0.5, 1, 1], "y_weight"),
        (BINARY, [-1, 0, 0, 0], "y_weight"),
        ("BinaryFocalCrossentropy", [0, 1, -1, 1], "y_weight"),
        ("dice", [0, 1, -1, 1], "y_weight"),
        (BINARY, [-1, 1, 1, 1], "(array + 1) / 2"),
        (BINARY, [np.nan, 0, 1, 1], "y_weight"),
        ("mse", [np.nan, 0.2, 9, 1], "y_weight"),
    ],
)
def test_missing_labels(loss: str, targets: list[float], hint: str, tmp_path: Path) -> None:
    rows = np.array(targets, "f")[:, None]
    [problem] = with_data(spec(dense(1, "sigmoid"), loss, "null"), tmp_path, y=rows)
    assert hint in (problem.hint or "")
    assert ("array + 1" in (problem.hint or "")) == (hint == "(array + 1) / 2")


CTC = spec(dense(4), "CTC", "null").replace("shape: [4]", "shape: [6, 2]")


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([[1, 2, -1], [1, 1, 1]], "down to -1"),
        ([[1, 2, 0], [1, 4, 0]], "up to 4"),
        ([[1, 2, 0], [0, 1, 2]], "a 0 before other ids, first in row 1"),
        ([[1, 2, 3, 1, 2, 3, 1], [1, 0, 0, 0, 0, 0, 0]], "need 7 steps"),
        ([[1, 1, 1, 1, 0], [1, 0, 0, 0, 0]], "need 7 steps"),
        ([[1.5, 2, 0], [1, 0, 0]], "non-integers"),
        ([1, 2], "one row of ids"),
    ],
)
def test_labels_for_ctc(labels: Any, says: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 6, 2), "f"), y=np.array(labels))
    [problem] = modelspec.loads(CTC).check(tmp_path / "d.npz")
    assert says in problem.message


def test_ctc_takes_padded_labels_and_logits(tmp_path: Path) -> None:
    labels = np.array([[1, 1, 1, 0], [3, 2, 1, 0]])
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 6, 2), "f"), y=labels)
    assert modelspec.loads(CTC).check(tmp_path / "d.npz") == []
    wrong = CTC.replace("linear", "softmax")
    [problem] = modelspec.loads(wrong).problems
    assert (problem.code, problem.severity) == ("loss-mismatch", "error")


@pytest.mark.parametrize(
    ("loss", "targets"), [("poisson", [-1.0, 2]), ("msle", [-3.0, 1]), ("hinge", [2.0, -1])]
)
def test_targets_beyond_what_a_loss_reads(loss: str, targets: Any, tmp_path: Path) -> None:
    text = spec(dense(1, "softplus"), loss, "null")
    problems = with_data(text, tmp_path, y=np.array(targets)[:, None])
    assert "target-out-of-range" in [problem.code for problem in problems]


@pytest.mark.parametrize("losses", ["{y: mse, z: null}", "[mse, null]", "{z: null, y: mse}"])
def test_an_output_without_a_loss_on_purpose(losses: str) -> None:
    text = spec(dense(1), losses, "null").replace(
        "outputs: y", "  - Dense: {units: 1}\n    name: z\noutputs: [y, z]"
    )
    assert check(text) == []
    assert [problem.code for problem in check(text.replace(losses, "{y: mse}"))] == [
        "output-without-loss"
    ]


def test_warnings_are_told_once() -> None:
    """Those of the spec were told when it was loaded: an error after it has itself alone."""
    source = modelspec.loads(spec(dense(3), ONE_HOT, "accuracy"))
    assert [problem.code for problem in source.problems] == ["loss-mismatch"]
    for verb in (measure, modelspec.train):
        with pytest.raises(SpecError) as raised:
            verb(source, Path("no-such-file.npz"))
        assert "loss-mismatch" not in [problem.code for problem in raised.value.problems]


LABELS = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 1]])


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", "huber", "BinaryFocalCrossentropy"])
def test_several_labels_with_any_loss(loss: str, tmp_path: Path) -> None:
    text = spec(dense(3, "sigmoid"), loss, "[accuracy, binary_accuracy]")
    problems = with_data(text, tmp_path, y=LABELS)
    assert [problem.code for problem in problems] == ["metric-mismatch"]
    assert "several labels" in problems[0].message
    values = with_data(text, tmp_path, y=LABELS * 0.5)
    assert not any("several labels" in problem.message for problem in values) or loss[0] in "bB"


PIXELS = "Conv2D: {{filters: {}, kernel_size: 1, activation: softmax}}"


@pytest.mark.parametrize(
    ("metric", "units", "errors"),
    [
        ("MeanIoU: {num_classes: 2, sparse_y_pred: false}", 3, 1),
        ("IoU: {num_classes: 3, target_class_ids: [0], sparse_y_pred: false}", 5, 1),
        ("MeanIoU: {num_classes: 3, sparse_y_pred: false}", 3, 0),
        ("MeanIoU: {num_classes: 4, sparse_y_pred: false}", 3, 0),
    ],
)
def test_metrics_count_all_classes(metric: str, units: int, errors: int) -> None:
    text = (
        f"modelspec: 1\ninputs: {{x: {{shape: [8, 8, 1]}}}}\nlayers:\n  - {PIXELS.format(units)}\n"
        f"    name: y\noutputs: y\nlosses: {SPARSE}\nmetrics: [{{{metric}}}]\n"
    )
    problems = check(text)
    assert [problem.severity for problem in problems] == ["error"] * errors
    assert not errors or f"write num_classes: {units}" in str(problems[0].hint)


@pytest.mark.parametrize(
    ("metrics", "count"),
    [
        ("[accuracy]", 1),
        ("[{SparseCategoricalCrossentropy: {}}, accuracy]", 2),
        ("[{SparseCategoricalCrossentropy: {ignore_class: -1}}]", 0),
        ("[{SparseTopKCategoricalAccuracy: {k: 2}}]", 1),
    ],
)
def test_metrics_count_the_class_that_a_loss_ignores(
    metrics: str, count: int, tmp_path: Path
) -> None:
    loss = "{SparseCategoricalCrossentropy: {ignore_class: -1}}"
    text = spec(dense(3, "softmax"), loss, metrics)
    problems = with_data(text, tmp_path, y=np.array([0, 1, -1, 2, -1]))
    assert [problem.code for problem in problems] == ["metric-mismatch"] * count
    assert all("2 targets in array y are -1" in problem.message for problem in problems)
    assert not with_data(text, tmp_path, y=np.array([0, 1, 1, 2, 0]))


def test_steps_of_a_sequence_may_be_masked(tmp_path: Path) -> None:
    loss = "{SparseCategoricalCrossentropy: {ignore_class: 0}}"
    text = spec("Dense: {units: 3, activation: softmax}", loss, "accuracy").replace(
        "layers:\n", "layers:\n  - Reshape: {target_shape: [2, 2]}\n"
    )
    assert not with_data(text, tmp_path, y=np.array([[1, 0], [2, 1], [1, 2]]))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0, 1, 255, 1], "if 255 marks a missing label"),
        ([0, 1, 9, 1], "if 9 marks a missing label"),
        ([-1, 1, 0, 1], "if -1 marks a missing label"),
        ([0, 1, 200, 255], "array / 255"),
        ([0, 1, 2, 1], "sparse_categorical_crossentropy"),
    ],
)
def test_a_third_value_may_mark_missing_labels(
    values: list[int], said: str, tmp_path: Path
) -> None:
    problems = with_data(spec(dense(1, "sigmoid"), BINARY, "null"), tmp_path, y=np.array(values))
    assert [problem.code for problem in problems] == ["target-out-of-range"]
    assert said in str(problems[0].hint)


@pytest.mark.parametrize("marker", [-999, 9999, -99])
def test_a_quantity_of_nines_may_mark_missing_values(marker: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(3, 1, 100)
    values[::7] = marker
    problems = with_data(spec(dense(1), "mse", "null"), tmp_path, y=values)
    assert marker == -99 or [problem.code for problem in problems] == ["target-scale"]
    assert all(f"if {marker} marks a missing value" in str(p.hint) for p in problems)
    values = np.random.default_rng(0).normal(-999, 300, 100)
    problems = with_data(spec(dense(1), "mse", "null"), tmp_path, y=values)
    assert "Rescaling" in str(problems[0].hint)

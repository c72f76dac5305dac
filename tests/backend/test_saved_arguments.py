"""Arguments that Keras forgets when it saves: plain Keras loads what was built."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from saved_arguments import FAMILIES, cases, judge, loaded

import modelspec
from modelspec import catalog
from modelspec.backend.model.objects import make
from modelspec.catalog import Family

LEAST: dict[Family, int] = {
    "loss": 70,
    "metric": 100,
    "optimizer": 200,
    "schedule": 28,
    "regularizer": 5,
    "initializer": 38,
    "constraint": 6,
    "layer": 900,
}
"""Arguments of which each family is known to have at least so many."""

pytestmark = pytest.mark.keras

CATALOG = catalog.load()
RANDOM = np.random.default_rng(0)
X = RANDOM.random((24, 4), np.float32)
Y = RANDOM.normal(size=(24, 2)).astype("f")
SPEC = """
modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - LAYER
  - Dense: {units: 2}
    name: y
outputs: y
losses: LOSS
metrics: [METRIC]
training: {epochs: 1, batch_size: 5, shuffle: false}
"""

FORGOTTEN: list[tuple[Family, str, dict[str, Any]]] = [
    ("loss", "Huber", {"delta": 0.2}),
    ("loss", "CosineSimilarity", {"axis": 0}),
    ("loss", "SparseCategoricalCrossentropy", {"axis": 1}),
    ("metric", "CosineSimilarity", {"axis": 1}),
    ("metric", "SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}),
    ("metric", "AUC", {"thresholds": [0.2, 0.6]}),
    ("metric", "AUC", {"multi_label": True, "num_labels": 2, "label_weights": [0.2, 0.8]}),
    ("layer", "Identity", {"activity_regularizer": {"L2": {"l2": 0.1}}}),
    ("layer", "ELU", {"alpha": 0.5, "activity_regularizer": {"L2": {"l2": 0.1}}}),
    ("initializer", "Identity", {"gain": 3.0}),
    ("layer", "Flatten", {"activity_regularizer": {"L2": {"l2": 0.1}}}),
    ("layer", "Concatenate", {"activity_regularizer": "l1"}),
]


@pytest.mark.parametrize(("family", "name", "arguments"), FORGOTTEN)
def test_the_config_holds_what_was_written(
    family: Family, name: str, arguments: dict[str, Any]
) -> None:
    made = make(CATALOG, family, {name: arguments})
    again = loaded(made)
    for argument in arguments:
        assert argument in made.get_config()
    # What matters is what it computes.
    if name in ("Huber", "CosineSimilarity") and family == "loss":
        truth = np.eye(2, dtype="f")[[0, 1, 1]]
        predictions = truth * 3 + 1
        assert float(again(truth, predictions)) == float(made(truth, predictions))
        default = getattr(keras.losses, name)()
        assert float(default(truth, predictions)) != float(made(truth, predictions))
    if family == "initializer":
        np.testing.assert_array_equal(again((2, 2)), 3 * np.eye(2))
    if family == "layer":
        assert again.activity_regularizer.get_config() == made.activity_regularizer.get_config()


@pytest.mark.sweep
@pytest.mark.parametrize("family", FAMILIES)
def test_every_argument_survives_saving(family: Family) -> None:
    """Each at a value that is not its default, on its way through the text of a model's file."""
    tried = list(cases(family))
    assert len(tried) >= LEAST[family]
    lost = {(name, key): judge(family, name, arguments) for name, key, arguments in tried}
    assert {case: told for case, told in lost.items() if told} == {}


def spec(loss: str = "mse", metric: str = "mae", layer: str = "Flatten") -> str:
    return SPEC.replace("LOSS", loss).replace("METRIC", metric).replace("LAYER", layer)


@pytest.mark.parametrize(
    ("loss", "metric", "layer"),
    [
        ("{Huber: {delta: 0.2}}", "mae", "Flatten"),
        ("{CosineSimilarity: {axis: 0}}", "mae", "Flatten"),
        ("mse", "{CosineSimilarity: {axis: 0, name: m}}", "Flatten"),
        ("mse", "mae", "Flatten: {activity_regularizer: {L2: {l2: 0.5}}}"),
    ],
)
def test_evaluate_and_plain_keras_tell_what_training_told(
    loss: str, metric: str, layer: str, tmp_path: Path
) -> None:
    data = {"x": X[:20], "y": Y[:20]}
    source = modelspec.loads(spec(loss, metric, layer))
    run = modelspec.train(source, data, validation=data, run=tmp_path / "run")
    told = {key: value for key, value in run.history[-1].items() if key.startswith("val_")}
    scores = modelspec.evaluate(modelspec.open_target(run.path), data)
    loaded = keras.saving.load_model(run.model_path)
    plain = loaded.evaluate(X[:20], Y[:20], batch_size=5, verbose=0, return_dict=True)
    for name, value in scores.items():
        assert value == pytest.approx(told[f"val_{name}"], rel=1e-6)
        assert plain[name] == pytest.approx(value, rel=1e-6)


def test_a_run_is_judged_by_its_own_spec(tmp_path: Path) -> None:
    """And not by the losses that its file was compiled with."""
    data = {"x": X, "y": Y}
    run = modelspec.train(modelspec.loads(spec()), data, run=tmp_path / "run")
    expected = modelspec.evaluate(modelspec.open_target(run.path), data)
    model = keras.saving.load_model(run.model_path)
    model.compile(optimizer=model.optimizer, loss="mae")
    model.save(run.model_path)
    assert modelspec.evaluate(modelspec.open_target(run.path), data) == expected


def test_weights_of_a_strategy_stay_those_of_the_file(tmp_path: Path) -> None:
    text = yaml.safe_dump(
        {
            "modelspec": 1,
            "inputs": {"x": {"shape": [4]}},
            "layers": [
                {"Dense": {"units": 3}, "name": "trunk"},
                {"Dense": {"units": 2}, "name": "y", "from": "trunk"},
                {"Dense": {"units": 2}, "name": "z", "from": "trunk"},
            ],
            "outputs": ["y", "z"],
            "losses": ["mse", "mae"],
            "loss_weights": "uncertainty",
            "training": {"epochs": 2, "batch_size": 6},
        },
        sort_keys=False,
    )
    data = {"x": X, "y": Y, "z": Y * 10}
    run = modelspec.train(modelspec.loads(text), data, run=tmp_path / "run")
    scores = modelspec.evaluate(modelspec.open_target(run.path), data)
    weights = keras.saving.load_model(run.model_path).get_compile_config()["loss_weights"]
    assert weights[0] != 1.0
    total = weights[0] * scores["y_loss"] + weights[1] * scores["z_loss"]
    assert scores["loss"] == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("outputs", ["y", "[y]", "{y: y}"])
@pytest.mark.parametrize("column", [False, True])
def test_weights_count_alike_in_every_form(outputs: str, *, column: bool, tmp_path: Path) -> None:
    weights = np.linspace(0.0, 2.0, 24, dtype="f")
    data = {"x": X, "y": Y, "y_weight": weights[:, None] if column else weights}
    text = spec().replace("outputs: y", f"outputs: {outputs}")
    source = modelspec.loads(
        text, ["training.batch_size=24", "optimizer={SGD: {learning_rate: 0.0}}"]
    )
    predicted = source.build().predict(X, verbose=0)
    predicted = predicted["y"] if isinstance(predicted, dict) else predicted
    predicted = predicted[0] if isinstance(predicted, list) else predicted
    by_hand = float(np.mean(np.mean((predicted - Y) ** 2, axis=-1) * weights))
    run = modelspec.train(source, data, run=tmp_path / "run")
    assert run.history[0]["loss"] == pytest.approx(by_hand, rel=1e-5)


def test_weights_of_steps_keep_their_axis(tmp_path: Path) -> None:
    """A weight for each sample of a sequence is one for all of its steps."""
    text = """
modelspec: 1
inputs: {x: {shape: [3, 2]}}
layers:
  - Dense: {units: 1}
    name: y
outputs: [y]
losses: mse
optimizer: {SGD: {learning_rate: 0.0}}
training: {epochs: 1, batch_size: 6, shuffle: false}
"""
    x, y = RANDOM.random((6, 3, 2), np.float32), RANDOM.random((6, 3, 1), np.float32)
    weights = np.linspace(0.0, 1.0, 6, dtype="f")[:, None]
    source = modelspec.loads(text)
    predicted = np.asarray(source.build().predict(x, verbose=0)).reshape(6, 3, 1)
    by_hand = float(np.mean(((predicted - y) ** 2)[..., 0] * weights))
    for name, array in (("sample", weights), ("step", np.repeat(weights, 3, 1)[..., None])):
        run = modelspec.train(source, {"x": x, "y": y, "y_weight": array}, run=tmp_path / name)
        assert run.history[0]["loss"] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("ignored", [0, 2])
def test_ignored_classes_keep_their_batches(ignored: int, tmp_path: Path) -> None:
    """Such a loss is a mean over the other samples of a batch, so larger batches change it."""
    ids = np.array([0, 1, 2, 2, 1, 0, 0, 1] * 3)
    loss = f"{{SparseCategoricalCrossentropy: {{ignore_class: {ignored}}}}}"
    text = spec(loss).replace("units: 2", "units: 3, activation: softmax").replace("[mae]", "null")
    run = modelspec.train(modelspec.loads(text), {"x": X, "y": ids}, run=tmp_path / "run")
    scores = modelspec.evaluate(modelspec.open_target(run.path), {"x": X, "y": ids})
    plain = keras.saving.load_model(run.model_path)
    loss_object = keras.losses.SparseCategoricalCrossentropy(ignore_class=ignored)
    plain.compile(loss=loss_object)
    expected = plain.evaluate(X, ids, batch_size=5, verbose=0)
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)

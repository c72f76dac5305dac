"""The notebook's three models: their sizes, and their training on the shipped data."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import modelspec

pytestmark = [pytest.mark.keras, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SIZES = {"mlp": 3_466, "question_answering": 1_322_100, "author_profile": 14_146_316}
NOTEBOOK = {"mlp": (1, 32), "question_answering": (10, 128), "author_profile": (10, 64)}
"""Epochs and batch size; the notebook's mlp runs for one epoch, by Keras's default batch size."""


def spec(name: str, *overrides: str) -> modelspec.ModelSpec:
    return modelspec.load(ROOT / "specs" / f"{name}.yaml", overrides)


def data(name: str) -> Path:
    return ROOT / "data" / f"{name}.npz"


def plain(name: str) -> keras.Model:
    """The model as the notebook writes it, with its swapped Embedding arguments put right."""
    layers = keras.layers
    if name == "mlp":
        features = keras.Input((64,))
        x = layers.Dense(32, activation="relu")(features)
        x = layers.Dense(32, activation="relu")(x)
        return keras.Model(features, layers.Dense(10, activation="softmax")(x))
    if name == "question_answering":
        text, question = (keras.Input((None,), dtype="int32") for _ in range(2))
        read = layers.LSTM(32)(layers.Embedding(10_000, 64)(text))
        asked = layers.LSTM(16)(layers.Embedding(10_000, 64)(question))
        both = layers.Concatenate(axis=-1)([read, asked])
        return keras.Model([text, question], layers.Dense(500, activation="softmax")(both))
    posts = keras.Input((None,), dtype="int32")
    x = layers.Embedding(50_000, 256)(posts)
    for filters, pooled in ((128, True), (256, False), (256, True), (256, False), (256, False)):
        x = layers.Conv1D(filters, 5, activation="relu")(x)
        x = layers.MaxPooling1D(5)(x) if pooled else x
    profile = layers.Dense(128, activation="relu")(layers.GlobalMaxPooling1D()(x))
    age = layers.Dense(1)(profile)
    income = layers.Dense(10, activation="softmax")(profile)
    gender = layers.Dense(1, activation="sigmoid")(profile)
    return keras.Model(posts, [age, income, gender])


@pytest.mark.parametrize("name", SIZES)
def test_trainable_parameters(name: str) -> None:
    params = spec(name).summary().params
    assert (params.trainable, params.total) == (SIZES[name], SIZES[name])


@pytest.mark.parametrize("name", SIZES)
def test_plain_keras_has_as_many(name: str) -> None:
    with keras.StatelessScope(initialize_variables=False):
        model = plain(name)
        assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == SIZES[name]


@pytest.mark.parametrize(
    ("name", "epochs"),
    [
        ("mlp", 1),
        *(
            pytest.param("question_answering", epochs, marks=pytest.mark.sweep)
            for epochs in (2, 10)
        ),
    ],
)
def test_training_as_in_the_notebook(name: str, epochs: int, tmp_path: Path) -> None:
    _, batch = NOTEBOOK[name]
    source = spec(name, f"training.epochs={epochs}")
    assert source.spec is not None
    assert source.spec.training.batch_size == batch
    run = modelspec.train(source, data(name), run=tmp_path / "run")
    assert run.status == "completed"
    assert len(run.history) == epochs
    fresh = modelspec.evaluate(modelspec.open_target(write(source, tmp_path)), data(name))
    trained = modelspec.evaluate(modelspec.open_target(run.path), data(name))
    assert trained["loss"] < fresh["loss"]
    assert epochs < 10 or run.history[-1]["loss"] < 0.9 * run.history[0]["loss"]


@pytest.mark.parametrize("name", ["question_answering", "author_profile"])
def test_specs_have_the_epochs_and_the_batch_size_of_the_notebook(name: str) -> None:
    read = spec(name).spec
    assert read is not None
    assert (read.training.epochs, read.training.batch_size) == NOTEBOOK[name]


def write(source: modelspec.ModelSpec, folder: Path) -> Path:
    path = folder / "spec.yaml"
    path.write_text(source.resolved_text(), encoding="utf-8")
    return path


@pytest.mark.sweep
@pytest.mark.parametrize("epochs", [1, 10])
def test_author_profile_trains(epochs: int, tmp_path: Path) -> None:
    source = spec("author_profile", f"training.epochs={epochs}")
    fresh = modelspec.evaluate(
        modelspec.open_target(write(source, tmp_path)), data("author_profile")
    )
    run = modelspec.train(source, data("author_profile"), run=tmp_path / "run")
    history = run.history
    assert [epoch["epoch"] for epoch in history] == list(range(1, epochs + 1))
    trained = modelspec.evaluate(modelspec.open_target(run.path), data("author_profile"))
    assert trained["loss"] < fresh["loss"]
    for name in ("loss", "age_loss", "income_loss", "gender_loss"):
        assert epochs == 1 or history[-1][name] < 0.9 * history[0][name], name


def swapped(name: str) -> str:
    text = (ROOT / "specs" / f"{name}.yaml").read_text(encoding="utf-8")
    right = {
        "question_answering": 'Embedding: {input_dim: "${text_vocabulary}", output_dim: 64}',
        "author_profile": "Embedding: {input_dim: 50000, output_dim: 256}",
    }[name]
    wrong = {
        "question_answering": "Embedding: {input_dim: 64, output_dim: 10000}",
        "author_profile": "Embedding: {input_dim: 256, output_dim: 50000}",
    }[name]
    assert right in text
    return text.replace(right, wrong)


@pytest.mark.parametrize(
    ("name", "array"), [("question_answering", "text_train"), ("author_profile", "posts_train")]
)
def test_swapped_embedding_is_refused(name: str, array: str, tmp_path: Path) -> None:
    """As the notebook has it; plain Keras fails on CPU, and trains on zeros under XLA."""
    text = swapped(name)
    source = modelspec.loads(text, name="swapped.yaml")
    assert source.problems == []
    with np.load(data(name)) as arrays:
        largest = int(arrays[array].max())
    with pytest.raises(modelspec.SpecError) as caught:
        modelspec.train(source, data(name), run=tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()
    for problems in (caught.value.problems, source.check(data(name))):
        [problem] = problems
        assert f"array {array} " in problem.message
        assert str(largest) in problem.message
        assert "swapped" in str(problem.hint)
        assert location(problem) == ("swapped.yaml", line_of(text, "input_dim:"))


def location(problem: modelspec.Problem) -> tuple[Any, int]:
    return problem.place.file, problem.place.span.line


def line_of(text: str, wanted: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if wanted in line)

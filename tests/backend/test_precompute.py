"""Frozen beginnings that are computed once, against training of the whole model."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import modelspec
from modelspec.backend.training.precompute import pays, split
from modelspec.problems.errors import RunInterrupted
from modelspec.runs.progress import NullListener

pytestmark = pytest.mark.keras

SPEC = """
modelspec: 1
name: frozen
inputs:
  words: {shape: [7], dtype: int32}
  more: {shape: [3]}
layers:
  - Embedding: {input_dim: 20, output_dim: 4, mask_zero: true, embeddings_initializer: uniform}
    from: words
    trainable: false
  - LSTM: {units: 5, kernel_initializer: glorot_uniform}
    trainable: false
  - BatchNormalization: {beta_initializer: zeros}
    name: norm
    trainable: false
  - Dense: {units: 4, activation: relu}
    from: more
    name: other
  - Concatenate:
    from: [norm, other]
  - Dropout: {rate: 0.2}
  - Dense: {units: 2}
    name: y
outputs: y
losses: mse
metrics: mae
optimizer: adam
training: {epochs: 4, batch_size: 8, validation_split: 0.25, jit: false, precompute: true}
"""
RANDOM = np.random.default_rng(0)
ARRAYS = {
    "words": RANDOM.integers(0, 20, (45, 7)),
    "more": RANDOM.normal(size=(45, 3)).astype("f"),
    "y": RANDOM.normal(size=(45, 2)).astype("f"),
    "y_weight": RANDOM.uniform(0.5, 2, 45).astype("f"),
}


class _StopAfter(NullListener):
    def epoch_finished(self, record: Any) -> None:
        if record["epoch"] == 2:
            raise KeyboardInterrupt


def losses(run: modelspec.Run) -> list[list[float]]:
    return [[v for k, v in line.items() if k not in ("epoch", "seconds")] for line in run.history]


def test_training_is_that_of_the_whole_model_and_resumes_to_the_last_bit(tmp_path: Path) -> None:
    """With shuffled rows, sample weights, dropout, validation, and an input that is not frozen."""
    once = modelspec.loads(SPEC)
    assert once.problems == []
    whole = modelspec.train(
        modelspec.loads(SPEC.replace("precompute: true", "precompute: false")),
        ARRAYS,
        run=tmp_path / "whole",
    )
    first = modelspec.train(once, ARRAYS, run=tmp_path / "first")
    np.testing.assert_allclose(losses(first), losses(whole), rtol=1e-4)
    ours, theirs = (keras.saving.load_model(run.model_path) for run in (first, whole))
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3, atol=1e-5)
    with pytest.raises((KeyboardInterrupt, RunInterrupted)):
        modelspec.train(once, ARRAYS, run=tmp_path / "again", listener=_StopAfter())
    again = modelspec.train(once, ARRAYS, run=tmp_path / "again", resume=True)
    assert losses(again) == losses(first)
    third = keras.saving.load_model(again.model_path)
    for one, other in zip(ours.weights, third.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    scores = modelspec.evaluate(modelspec.open_target(first.path), ARRAYS)
    assert scores["loss"] > 0


def test_more_than_the_bound_lies_in_a_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelspec.backend.training import batch_source, frozen_values

    spec = modelspec.loads(SPEC.replace("epochs: 4", "epochs: 1"))
    small = modelspec.train(spec, ARRAYS, run=tmp_path / "small")
    monkeypatch.setattr(frozen_values, "RESIDENT_BYTES", 100)
    monkeypatch.setattr(batch_source, "RESIDENT_BYTES", 100)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    large = modelspec.train(spec, ARRAYS, run=tmp_path / "large")
    np.testing.assert_allclose(losses(large), losses(small), rtol=1e-5)
    assert list((tmp_path / "cache" / "modelspec" / "precomputed").iterdir()) == []


def fixed(*layers: Any, shape: tuple[int | None, ...] = (4,), dtype: str = "float32") -> Any:
    x = keras.Input(shape, dtype=dtype, name="x")
    h = x
    for layer in layers:
        h = layer(h)
    return keras.Model(x, keras.layers.Dense(1, name="head")(h))


def dense(**more: Any) -> Any:
    return keras.layers.Dense(3, trainable=False, **more)


@pytest.mark.parametrize(
    ("layers", "computed"),
    [
        ([dense], 1),
        ([dense, dense], 2),
        ([dense, lambda: keras.layers.BatchNormalization(trainable=False)], 2),
        ([dense, keras.layers.BatchNormalization], 1),
        ([dense, lambda: keras.layers.BatchNormalization(center=False, scale=False)], 1),
        ([dense, lambda: keras.layers.Dropout(0.5, trainable=False), dense], 1),
        ([dense, lambda: keras.layers.GaussianNoise(0.5), dense], 1),
        ([dense, lambda: dense(activity_regularizer="l2")], 0),
        ([lambda: keras.layers.Dense(3), dense], 0),
        ([keras.layers.Dropout], 0),
        ([lambda: keras.layers.SpectralNormalization(dense(), trainable=False)], 0),
    ],
)
def test_exactly_what_stays_the_same_is_computed_once(layers: list[Any], computed: int) -> None:
    if layers == [keras.layers.Dropout]:
        layers = [lambda: keras.layers.Dropout(0.5)]
    model = fixed(*(make() for make in layers))
    parts = split(model)
    assert (parts is not None) == (computed > 0)
    if parts is not None:
        assert parts.layers == model.layers[1 : 1 + computed]
        inputs = RANDOM.normal(size=(5, 4)).astype("f")
        [value] = parts.beginning(tf.constant(inputs))
        np.testing.assert_allclose(parts.rest(value), model(inputs), rtol=1e-5, atol=1e-6)
    assert pays(model, 2) is False
    assert pays(model, 20) == (computed > 0)


def test_a_mask_does_not_leave_the_beginning() -> None:
    table = keras.layers.Embedding(9, 3, mask_zero=True, trainable=False)
    assert split(fixed(table, keras.layers.LSTM(2), shape=(5,), dtype="int32")) is None
    table = keras.layers.Embedding(9, 3, mask_zero=True, trainable=False)
    read = keras.layers.LSTM(2, trainable=False)
    assert split(fixed(table, read, shape=(5,), dtype="int32")) is not None


def test_auto_is_decided_in_the_spec_of_the_run(tmp_path: Path) -> None:
    auto = SPEC.replace(", precompute: true", "")
    for epochs, chosen in ((1, False), (3, True)):
        spec = modelspec.loads(auto.replace("epochs: 4", f"epochs: {epochs}"))
        run = modelspec.train(spec, ARRAYS, run=tmp_path / str(epochs))
        written = modelspec.load(run.spec_path)
        assert written.spec is not None
        assert written.spec.training.precompute is chosen


@pytest.mark.parametrize(("shape", "rows"), [((1,), (6,)), ((), (6, 1))])
def test_inputs_get_the_axes_that_the_model_declares(
    shape: tuple[int, ...], rows: tuple[int, ...]
) -> None:
    x = keras.Input(shape, name="x")
    h = dense()(keras.ops.reshape(x, (-1, 1)))
    beside = keras.ops.reshape(x, (-1, 1)) if shape == () else x
    h = keras.layers.Concatenate(trainable=False)([h, beside])
    model = keras.Model(x, keras.layers.Dense(1, name="head")(h))
    parts = split(model)
    assert parts is not None
    values = RANDOM.normal(size=rows).astype("f")
    np.testing.assert_allclose(
        parts.rest(parts.beginning(tf.constant(values))), model(values), rtol=1e-5, atol=1e-6
    )

"""Frozen beginnings that are computed once, against training of the whole model."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from listeners import StopAfter

import modelspec
from modelspec.backend.training import batch_source, frozen_values
from modelspec.backend.training.precompute import pays, split
from modelspec.problems.errors import RunInterrupted

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
        modelspec.train(once, ARRAYS, run=tmp_path / "again", listener=StopAfter(2))
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
    spec = modelspec.loads(SPEC.replace("epochs: 4", "epochs: 1"))
    small = modelspec.train(spec, ARRAYS, run=tmp_path / "small")
    monkeypatch.setattr(frozen_values, "RESIDENT_BYTES", 100)
    monkeypatch.setattr(frozen_values, "_CONSTANT_BYTES", 100)
    monkeypatch.setattr(batch_source, "RESIDENT_BYTES", 100)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    large = modelspec.train(spec, ARRAYS, run=tmp_path / "large")
    np.testing.assert_allclose(losses(large), losses(small), rtol=1e-5)
    assert list((tmp_path / "cache" / "modelspec" / "precomputed").iterdir()) == []


@pytest.mark.parametrize(("limit", "variables"), [(10_000, 0), (10, 6)])
def test_small_weights_are_constants_of_the_graph(
    monkeypatch: pytest.MonkeyPatch, limit: int, variables: int
) -> None:
    """TensorFlow can fold them; the numbers stay, with each weight in its place."""
    monkeypatch.setattr(frozen_values, "_CONSTANT_BYTES", limit)
    image = keras.Input((6, 6, 2))
    h = keras.layers.Conv2D(3, 3, bias_initializer="uniform", trainable=False)(image)
    drawn = dict.fromkeys(("beta_initializer", "gamma_initializer"), "uniform")
    drawn["moving_mean_initializer"] = "uniform"
    h = keras.layers.BatchNormalization(trainable=False, **drawn)(h)
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(h)))
    parts = split(model)
    assert parts is not None
    images = tf.constant(RANDOM.normal(size=(4, 6, 6, 2)), tf.float32)
    forward = tf.function(frozen_values.with_constants(parts), autograph=False)
    assert len(forward.get_concrete_function(images).captured_inputs) == variables
    np.testing.assert_allclose(parts.rest(forward(images)), model(images), rtol=1e-5, atol=1e-6)
    bias = model.layers[1].bias
    bias.assign(bias + 1)  # a graph that is made later has the weights of then
    again = tf.function(frozen_values.with_constants(parts), autograph=False)(images)
    np.testing.assert_allclose(parts.rest(again), model(images), rtol=1e-5, atol=1e-6)


KILLED = """
import os, signal, sys
import numpy as np
import modelspec
from modelspec.backend.start import start
from modelspec.runs.progress import NullListener

start()
from modelspec.backend.training import frozen_values

folder, when = sys.argv[1:]
frozen_values.RESIDENT_BYTES = 100


class Killer(NullListener):
    def note(self, message):
        if when == "during" and "are in a file" in message:
            os.kill(os.getpid(), signal.SIGKILL)

    def epoch_finished(self, record):
        if when == "after" and record["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGKILL)


spec = modelspec.load(f"{folder}/spec.yaml")
modelspec.train(spec, f"{folder}/d.npz", run=f"{folder}/run", listener=Killer(), resume=True)
"""


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.sweep
def test_a_run_that_is_killed_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the pass over the frozen layers, and in training after it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    np.savez(tmp_path / "d.npz", **ARRAYS)  # type: ignore[arg-type]
    spec, kept = modelspec.load(tmp_path / "spec.yaml"), tmp_path / "cache/modelspec/precomputed"
    for when, epochs in (("during", False), ("after", True)):
        command = [sys.executable, "-c", KILLED, str(tmp_path), when]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        assert any((tmp_path / "run" / "checkpoints").glob("*.npz")) == epochs
        assert list(kept.iterdir()) == []
    again = modelspec.train(spec, tmp_path / "d.npz", run=tmp_path / "run", resume=True)
    whole = modelspec.train(spec, tmp_path / "d.npz", run=tmp_path / "whole")
    assert losses(again) == losses(whole)
    ours, theirs = (keras.saving.load_model(run.model_path) for run in (again, whole))
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def fixed(*layers: Any, shape: tuple[int | None, ...] = (4,), dtype: str = "float32") -> Any:
    x = keras.Input(shape, dtype=dtype, name="x")
    h = x
    for layer in layers:
        h = layer(h)
    return keras.Model(x, keras.layers.Dense(1, name="head")(h))


def dense(units: int = 3, **more: Any) -> Any:
    return keras.layers.Dense(units, trainable=False, **more)


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
        ([dense, lambda: dense(activity_regularizer="l2")], 1),
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


def sequences(*layers: Any) -> Any:
    table = keras.layers.Embedding(9, 3, mask_zero=True, trainable=False)
    return fixed(table, *layers, shape=(5,), dtype="int32")


@pytest.mark.parametrize(
    ("layers", "computed"),
    [
        ([keras.layers.LSTM(2)], 1),
        ([keras.layers.LSTM(2, trainable=False)], 2),
        ([keras.layers.LSTM(4, return_sequences=True, trainable=False), keras.layers.LSTM(2)], 2),
        ([keras.layers.Dropout(0.5), keras.layers.GlobalAveragePooling1D()], 1),
    ],
)
def test_masks_leave_the_beginning_with_their_values(layers: list[Any], computed: int) -> None:
    model = sequences(*layers)
    parts = split(model)
    assert parts is not None
    assert len(parts.layers) == computed
    words = np.array([[1, 2, 0, 0, 0], [3, 4, 5, 6, 7], [8, 0, 0, 0, 0]], "i")
    rest = parts.rest(parts.beginning(tf.constant(words)), training=False)
    np.testing.assert_allclose(rest, model(words, training=False), rtol=1e-5, atol=1e-6)
    others = np.where(words == 0, 8, words)
    assert not np.allclose(rest, model(others, training=False), rtol=1e-3)


def trunk(*, end: Any) -> Any:
    """A model with a frozen prefix."""
    x = keras.Input((4,))
    h = dense(name="first")(x)
    h = keras.layers.BatchNormalization(trainable=False, name="norm")(h)
    return keras.Model(x, end(h), name="trunk")


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(
    "end", [keras.layers.Dense(3, name="last"), keras.layers.Dropout(0.5, name="last")]
)
def test_the_frozen_prefix_of_a_nested_model_is_computed_once(end: Any, depth: int) -> None:
    inner = trunk(end=end)
    if depth == 2:
        x = keras.Input((4,))
        inner = keras.Model(x, inner(dense(units=4, name="before")(x)), name="outer")
    model = fixed(inner)
    parts = split(model)
    assert parts is not None
    assert [layer.name for layer in parts.layers] == ["before", "first", "norm"][2 - depth :]
    x = RANDOM.normal(size=(5, 4)).astype("f")
    rest = parts.rest(parts.beginning(tf.constant(x)), training=False)
    np.testing.assert_allclose(rest, model(x, training=False), rtol=1e-5, atol=1e-6)


def test_a_nested_model_that_is_called_twice_is_opened_once() -> None:
    inner = trunk(end=keras.layers.Dense(4, name="last"))
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(1)(inner(inner(x))))
    parts = split(model)
    assert parts is not None
    assert [layer.name for layer in parts.layers] == ["first", "norm"]
    values = RANDOM.normal(size=(5, 4)).astype("f")
    rest = parts.rest(parts.beginning(tf.constant(values)), training=False)
    np.testing.assert_allclose(rest, model(values), rtol=1e-5, atol=1e-6)


def test_frozen_values_that_are_outputs_themselves() -> None:
    x = keras.Input((4,), name="x")
    h = dense()(x)
    model = keras.Model(x, {"frozen": h, "trained": keras.layers.Dense(1)(h)})
    parts = split(model)
    assert parts is not None
    values = RANDOM.normal(size=(5, 4)).astype("f")
    results = parts.rest(parts.beginning(tf.constant(values)))
    for name, expected in model(values).items():
        np.testing.assert_allclose(results[name], expected, rtol=1e-5, atol=1e-6)


class Unknown(keras.layers.Dense):  # type: ignore[misc]
    """A layer of which nothing is known: it may draw numbers, or add to the loss."""


def test_layers_of_others_are_computed_in_every_epoch() -> None:
    assert split(fixed(Unknown(3, trainable=False))) is None
    parts = split(fixed(dense(), Unknown(3, trainable=False)))
    assert parts is not None
    assert len(parts.layers) == 1


PLAIN = """
modelspec: 1
name: plain
inputs: {x: {shape: [4]}}
layers:
  - Dense: {units: 6, activation: tanh, FROZEN}
    name: trunk
    trainable: false
  - Dense: {units: 5, activation: tanh}
    name: middle
  - Dense: {units: 2}
    name: y
SECOND
outputs: OUTPUTS
losses: LOSSES
optimizer: {SGD: {learning_rate: 0.05}}
training:
  {epochs: 2, batch_size: 8, shuffle: false, precision: PRECISION, jit: false, precompute: true}
"""
SECOND = """
  - Dense: {units: 1}
    from: middle
    name: z
"""
FORMS = {"single": "y", "list": "[y, z]", "dict": "{a: y, b: z}"}
ROWS = {"x": RANDOM.normal(size=(45, 4)), "y": RANDOM.normal(size=(45, 2))}
ROWS["z"] = RANDOM.normal(size=(45, 1))


def plain(form: str, regularizer: Any, precision: str) -> Any:
    """``PLAIN`` in plain Keras."""
    dtype: dict[str, Any] = {"dtype": precision}
    x = keras.Input((4,), name="x")
    first = keras.layers.Dense(
        6, "tanh", trainable=False, activity_regularizer=regularizer, **dtype
    )
    h = keras.layers.Dense(5, "tanh", **dtype)(first(x))
    y, z = keras.layers.Dense(2, **dtype)(h), keras.layers.Dense(1, **dtype)(h)
    return keras.Model(x, {"single": y, "list": [y, z], "dict": {"a": y, "b": z}}[form])


@pytest.mark.parametrize(
    ("form", "frozen"),
    [
        pytest.param("single", "use_bias: true", marks=pytest.mark.sweep),
        pytest.param("list", "use_bias: true", marks=pytest.mark.sweep),
        ("dict", "use_bias: true"),
        pytest.param("list", "activity_regularizer: {L2: {l2: 0.1}}", marks=pytest.mark.sweep),
    ],
)
def test_a_frozen_trunk_trains_as_plain_keras_does(form: str, frozen: str, tmp_path: Path) -> None:
    """In float64, so that rounding hides no difference; Keras has no regularizers there."""
    regularized = "regularizer" in frozen
    precision = "float32" if regularized else "float64"
    names = {"single": {"y": "y"}, "list": {"y": "y", "z": "z"}, "dict": {"a": "y", "b": "z"}}[form]
    text = PLAIN.replace("FROZEN", frozen).replace("PRECISION", precision)
    text = text.replace("SECOND", "" if form == "single" else SECOND)
    losses = ", ".join(f"{name}: mse" for name in names)
    text = text.replace("OUTPUTS", FORMS[form]).replace("LOSSES", f"{{{losses}}}")
    source = modelspec.loads(text)
    assert source.problems == []
    built = source.build()
    assert (split(built) is None) == regularized
    hand = plain(form, keras.regularizers.L2(0.1) if regularized else None, precision)
    hand.set_weights(built.get_weights())
    hand.compile(keras.optimizers.SGD(0.05), _shaped(form, "mse"))
    targets = {name: ROWS[key] for name, key in names.items()}
    history = hand.fit(
        ROWS["x"],
        targets if form == "dict" else list(targets.values()),
        batch_size=8,
        epochs=2,
        shuffle=False,
        verbose=0,
    ).history
    run = modelspec.train(source, {"x": ROWS["x"], **targets}, run=tmp_path / "run")
    np.testing.assert_allclose([line["loss"] for line in run.history], history["loss"], rtol=1e-5)
    ours = keras.saving.load_model(run.model_path)
    for one, other in zip(ours.weights, hand.weights, strict=True):
        # In float32 a weight near 0 has the absolute error of the others.
        least = 1e-5 * float(np.abs(other.numpy()).max()) if regularized else 0.0
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=least)


def _shaped(form: str, value: str) -> Any:
    return {"single": value, "list": [value, value], "dict": {"a": value, "b": value}}[form]


WEIGHTED = """
modelspec: 1
name: weighted
inputs: {x: {shape: [4]}}
layers:
  - Dense: {units: 6, activation: tanh}
    trainable: false
  - Dense: {units: 5, activation: tanh}
    name: middle
  - Dense: {units: 2}
    name: y
  - Dense: {units: 1}
    from: middle
    name: z
outputs: [y, z]
losses: {y: mse, z: mse}
loss_weights: STRATEGY
training: {epochs: 3, batch_size: 8, precision: float64, jit: false, precompute: true}
"""


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param("uncertainty", marks=pytest.mark.sweep),
        "gradnorm",
        pytest.param("equal_contribution", marks=pytest.mark.sweep),
    ],
)
def test_strategies_of_loss_weights_go_on_from_values(strategy: str, tmp_path: Path) -> None:
    runs = []
    for once in ("true", "false"):
        text = WEIGHTED.replace("STRATEGY", strategy).replace(
            "precompute: true", f"precompute: {once}"
        )
        runs.append(modelspec.train(modelspec.loads(text), ROWS, run=tmp_path / once))
    np.testing.assert_allclose(losses(runs[0]), losses(runs[1]), rtol=1e-5)
    models = [keras.saving.load_model(run.model_path) for run in runs]
    for one, other in zip(*(model.weights for model in models), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5)


def test_xla_compiles_the_steps_after_texts(tmp_path: Path) -> None:
    """It compiles no text, so the lookup is not part of a step, however few epochs there are."""
    text = (
        "modelspec: 1\ninputs: {x: {shape: [], dtype: string}}\nlayers:\n"
        "  - StringLookup: {vocabulary: [a, b], output_mode: one_hot}\n"
        "  - {Dense: {units: 1}, name: y}\noutputs: y\nlosses: mse\ntraining: {epochs: 1}\n"
    )
    data = {"x": np.array(["a", "b", "c", "a"] * 9), "y": np.arange(36.0)}
    losses = []
    for jit in ("true", "false"):
        source = modelspec.loads(text, [f"training.jit={jit}"])
        run = modelspec.train(source, data, run=tmp_path / jit)
        losses.append(run.history[0]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


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

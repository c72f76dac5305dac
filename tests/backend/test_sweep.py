"""Whatever the catalogue offers can be written in a spec, and works."""

import inspect
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from rounding import ADAM, assert_close, rounding
from sweep_heads import LOSSES, MAKERS, METRICS, Kind, targets
from sweep_layers import BATCH, CATALOG, LAYERS, offered, require_rows

import modelspec
from modelspec.catalog import Family

pytestmark = [pytest.mark.keras, pytest.mark.slow]

Arrays = dict[str, NDArray[Any]]

FEW = rounding(64)
"""The last numbers of a head, a few dozen at most, summed by Keras twice."""


def values(model: keras.Model) -> Any:
    """One batch of whatever the model's inputs take."""
    inputs = []
    for tensor in model.inputs:
        shape = (BATCH, *tensor.shape[1:])
        text = tensor.dtype == "string"
        inputs.append(np.full(shape, "red", dtype=object) if text else np.ones(shape, tensor.dtype))
    arrays = [keras.ops.convert_to_tensor(array) for array in inputs]
    return arrays if len(arrays) > 1 else arrays[0]


# ---------------------------------------------------------------- layers


def test_every_layer_has_a_row() -> None:
    require_rows("layer", LAYERS)


@pytest.mark.parametrize("name", offered("layer", LAYERS))
def test_layer_is_built_called_saved_and_loaded(name: str, tmp_path: Path) -> None:
    spec = modelspec.loads(LAYERS[name].spec(name))
    assert spec.check() == []
    model = spec.build()
    wanted = getattr(keras.layers, LAYERS[name].layer or name)
    assert any(type(layer) is wanted for layer in model.layers)
    inputs = values(model)
    trained = keras.tree.flatten(model(inputs, training=True))
    assert [len(tensor.shape) for tensor in trained] == [
        len(tensor.shape) for tensor in model.outputs
    ]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for ours, theirs in zip(results(model, inputs), results(again, inputs), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def results(model: keras.Model, inputs: Any) -> list[NDArray[Any]]:
    outputs = keras.tree.flatten(model(inputs, training=False))
    return [keras.ops.convert_to_numpy(output) for output in outputs]


# ---------------------------------------------------------------- losses and metrics

SAMPLES = 8


class Judged(NamedTuple):
    """A model with one head for each loss or metric, trained for an epoch, and its data."""

    model: keras.Model
    logs: dict[str, Any]
    predictions: Arrays
    arrays: Arrays


def judge(part: str, heads: dict[str, tuple[str, Kind]], folder: Path) -> Judged:
    """Train ``{output: (object, kind)}``, with metrics where ``part`` says so, or as losses."""
    random = np.random.default_rng(0)
    layers, arrays = [], {"x": random.normal(size=(SAMPLES, 3)).astype("f")}
    for name, (_, (maker, kind)) in heads.items():
        layers.append(f"  - {MAKERS[maker]}\n    name: {name}\n    from: x")
        arrays[name] = targets(kind, random, SAMPLES)
    text = "\n".join(
        [
            "modelspec: 1",
            "inputs: {x: {shape: [3]}}",
            "layers:",
            *layers,
            f"outputs: [{', '.join(heads)}]",
            f"{part}:",
            *(f"  {name}: {written}" for name, (written, _) in heads.items()),
            *_losses_for(part, heads),
            "optimizer: {SGD: {learning_rate: 0.01}}",
            f"training: {{epochs: 1, batch_size: {SAMPLES}, shuffle: false}}",
        ]
    )
    np.savez(folder / "data.npz", **arrays)  # type: ignore[arg-type]
    run = modelspec.train(modelspec.loads(text), folder / "data.npz", run=folder / "run")
    model = modelspec.loads(text).build()
    outputs = results(model, {"x": arrays["x"]})
    return Judged(model, run.history[0], dict(zip(heads, outputs, strict=True)), arrays)


def _losses_for(part: str, heads: dict[str, tuple[str, Kind]]) -> list[str]:
    if part == "losses":
        return []
    fitting = {
        "binary": "binary_crossentropy",
        "one-hot": "categorical_crossentropy",
        "ids": "sparse_categorical_crossentropy",
        "real": "mse",
        "sign": "hinge",
    }
    return ["losses:", *(f"  {name}: {fitting[kind]}" for name, (_, (_, kind)) in heads.items())]


def test_every_loss_has_a_row() -> None:
    require_rows("loss", LOSSES)


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    heads = {f"to_{name}": (name, kind) for name, kind in LOSSES.items()}
    return judge("losses", heads, tmp_path_factory.mktemp("losses"))


@pytest.mark.parametrize("name", offered("loss", LOSSES))
def test_loss_trains(name: str, losses: Judged) -> None:
    """The first step's loss is the one that Keras computes from the first predictions."""
    output = f"to_{name}"
    predicted, wanted = losses.predictions[output], losses.arrays[output]
    if name in {"ce", "crossentropy"}:
        name = "sparse_categorical_crossentropy" if wanted.ndim == 1 else "categorical_crossentropy"
    member: Any = getattr(keras.losses, name)
    loss: Any = member() if inspect.isclass(member) else member
    value = float(keras.ops.mean(loss(keras.ops.convert_to_tensor(wanted), predicted)))
    assert losses.logs[f"{output}_loss"] == pytest.approx(value, rel=FEW, abs=FEW)


def test_every_metric_has_a_row() -> None:
    require_rows("metric", METRICS)


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    heads = {
        f"to_{name}": (f"{{{name}: {arguments}}}" if arguments else name, kind)
        for name, (arguments, kind) in METRICS.items()
    }
    return judge("metrics", heads, tmp_path_factory.mktemp("metrics"))


@pytest.mark.parametrize("name", offered("metric", METRICS))
def test_metric_is_reported(name: str, metrics: Judged) -> None:
    output = f"to_{name}"
    arguments, (_, kind) = METRICS[name]
    predicted, wanted = metrics.predictions[output], metrics.arrays[output]
    if name.lower() in {"acc", "accuracy"}:
        shapes = {"ids": "SparseCategoricalAccuracy", "binary": "BinaryAccuracy"}
        real: Any = getattr(keras.metrics, shapes[kind])()
    elif name[0].isupper():
        real = getattr(keras.metrics, name)(**yaml.safe_load(arguments or "{}"))
    else:
        real = keras.metrics.MeanMetricWrapper(getattr(keras.metrics, name))
    real.update_state(wanted, predicted)
    reported = [
        value
        for key, value in metrics.logs.items()
        if key.startswith(f"{output}_") and key not in {f"{output}_loss", f"{output}_share"}
    ]
    result = np.ravel(keras.ops.convert_to_numpy(real.result()))
    np.testing.assert_allclose(reported, result, rtol=FEW, atol=FEW)


# ---------------------------------------------------------------- optimizers and schedules

OPTIMIZERS = {
    "Adadelta": "",
    "Adafactor": "",
    "Adagrad": "",
    "Adam": "{use_ema: true, ema_momentum: 0.5}",
    "AdamW": "{weight_decay: 0.01}",
    "Adamax": "",
    "Ftrl": "",
    "Lamb": "",
    "Lion": "",
    "LossScaleOptimizer": "{inner_optimizer: {SGD: {learning_rate: 0.1}}}",
    "Muon": "",
    "Nadam": "",
    "RMSprop": "{clipnorm: 1.0}",
    "SGD": "{momentum: 0.9, nesterov: true}",
    "ScheduleFreeAdamW": "",
}
SCHEDULES = {
    "CosineDecay": "{initial_learning_rate: 0.5, decay_steps: 10}",
    "CosineDecayRestarts": "{initial_learning_rate: 0.5, first_decay_steps: 10}",
    "ExponentialDecay": "{initial_learning_rate: 0.5, decay_steps: 10, decay_rate: 0.9}",
    "InverseTimeDecay": "{initial_learning_rate: 0.5, decay_steps: 10, decay_rate: 0.9}",
    "PiecewiseConstantDecay": "{boundaries: [10, 20], values: [0.5, 0.25, 0.125]}",
    "PolynomialDecay": "{initial_learning_rate: 0.5, decay_steps: 10}",
}
SMALL = """
modelspec: 1
inputs: {x: {shape: [3]}}
layers:
  - Dense: {units: 4}
  - Dense: {units: 2}
    name: y
outputs: y
losses: mse
training: {epochs: 2, batch_size: 4, shuffle: false, precision: float64}
optimizer: """
IN_FLOAT32 = {"Muon"}
"""Keras's own code has constants of float32."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("small") / "small.npz"
    np.savez(path, x=random.normal(size=(10, 3)), y=random.normal(size=(10, 2)))
    return path


def test_every_optimizer_has_a_row() -> None:
    require_rows("optimizer", OPTIMIZERS)


@pytest.mark.parametrize("name", offered("optimizer", OPTIMIZERS))
def test_optimizer_trains_as_in_keras(name: str, small: Path, tmp_path: Path) -> None:
    single = name in IN_FLOAT32
    text = SMALL.replace("float64", "float32") if single else SMALL
    spec = modelspec.loads(text + f"{{{name}: {OPTIMIZERS[name]}}}")
    run = modelspec.train(spec, small, run=tmp_path / "run")
    plain = spec.build()
    assert type(plain.optimizer).__name__ == name
    with np.load(small) as arrays:
        plain.fit(arrays["x"], arrays["y"], epochs=2, batch_size=4, shuffle=False, verbose=0)
    trained = keras.saving.load_model(run.model_path)
    terms = 6 * (4 + 3 + 4)
    tolerance = rounding(terms) if single else ADAM * rounding(terms, "float64")
    assert_close(trained.get_weights(), plain.get_weights(), tolerance)


def test_every_schedule_has_a_row() -> None:
    require_rows("schedule", SCHEDULES)


@pytest.mark.parametrize("name", offered("schedule", SCHEDULES))
def test_schedule_gives_the_learning_rate(name: str) -> None:
    written = f"{{SGD: {{learning_rate: {{{name}: {SCHEDULES[name]}}}}}}}"
    optimizer = modelspec.loads(SMALL + written).build().optimizer
    arguments = yaml.safe_load(SCHEDULES[name])
    schedule = getattr(keras.optimizers.schedules, name)(**arguments)
    assert float(optimizer.learning_rate) == pytest.approx(0.5)
    assert float(optimizer._learning_rate(7)) == float(schedule(7))


# ---------------------------------------------------------------- what layers are given

INITIALIZERS = {
    "Constant": "{value: 0.5}",
    "GlorotNormal": "",
    "GlorotUniform": "{seed: 3}",
    "HeNormal": "",
    "HeUniform": "",
    "Identity": "",
    "LecunNormal": "",
    "LecunUniform": "",
    "Ones": "",
    "Orthogonal": "",
    "RandomNormal": "",
    "RandomUniform": "{minval: -1.0, maxval: 1.0}",
    "STFT": "{side: real}",
    "TruncatedNormal": "",
    "VarianceScaling": "{scale: 2.0, mode: fan_out}",
    "Zeros": "",
}
REGULARIZERS = {
    "L1": "{l1: 0.5}",
    "L1L2": "{l1: 0.5, l2: 0.25}",
    "L2": "{l2: 0.5}",
    "OrthogonalRegularizer": "{factor: 0.5}",
}
CONSTRAINTS = {
    "MaxNorm": "{max_value: 0.5}",
    "MinMaxNorm": "{min_value: 0.1, max_value: 0.2}",
    "NonNeg": "",
    "UnitNorm": "",
}
ROWS: dict[Family, dict[str, str]] = {
    "initializer": INITIALIZERS,
    "regularizer": REGULARIZERS,
    "constraint": CONSTRAINTS,
}
GIVEN = [(family, name) for family, rows in ROWS.items() for name in offered(family, rows)]


@pytest.mark.parametrize("family", ROWS)
def test_every_object_for_layers_has_a_row(family: Family) -> None:
    require_rows(family, ROWS[family])


@pytest.mark.parametrize(("family", "name"), GIVEN)
def test_layer_is_given_the_object(family: Family, name: str) -> None:
    # A kernel of the one shape that STFT, too, can fill: 8 steps, 1 channel, 5 frequencies.
    layer = "Conv1D: {filters: 5, kernel_size: 8" if name == "STFT" else "Dense: {units: 3"
    shape = "[16, 1]" if name == "STFT" else "[3]"
    written = f"{layer}, kernel_{family}: {{{name}: {ROWS[family][name]}}}}}"
    text = f"modelspec: 1\ninputs: {{x: {{shape: {shape}}}}}\nlayers:\n  - {written}\n    name: y\n"
    spec = modelspec.loads(f"{text}outputs: y\n")
    assert spec.check() == []
    kernel = spec.build().get_layer("y")
    made = getattr(kernel, f"kernel_{family}")
    real = getattr(getattr(keras, f"{family}s"), name)(**yaml.safe_load(ROWS[family][name] or "{}"))
    assert type(made) is type(real)
    expected, config = real.get_config(), made.get_config()
    assert {**config, "seed": None} == {**expected, "seed": None}


def test_every_activation_can_be_written() -> None:
    # Of glu, Keras states another shape than it computes, which is an error.
    names = [name for name in CATALOG.names("activation") if name != "glu"]
    layers = "".join(
        f"  - Dense: {{units: 4, activation: {name}}}\n    name: to_{name}\n    from: x\n"
        for name in names
    )
    text = f"modelspec: 1\ninputs: {{x: {{shape: [3]}}}}\nlayers:\n{layers}outputs: ["
    model = modelspec.loads(text + ", ".join(f"to_{name}" for name in names) + "]\n").build()
    for name, output in zip(names, model({"x": np.ones((BATCH, 3), "f")}), strict=True):
        assert model.get_layer(f"to_{name}").activation is getattr(keras.activations, name)
        assert np.isfinite(output.numpy()).all(), name

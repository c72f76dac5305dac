"""Models of ``keras.applications`` as layers, against the same model written by hand."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import modelspec
from modelspec import catalog
from modelspec.backend.keras_private import keras_home
from modelspec.problems.errors import SpecError

pytestmark = pytest.mark.keras

SIZE = 32
ARGUMENTS = f"include_top: false, input_shape: [{SIZE}, {SIZE}, 3], pooling: avg, alpha: 0.35"
SPEC = """
modelspec: 1
name: nested
inputs: {image: {shape: [SIZE, SIZE, 3]}}
layers:
  - MobileNetV2: {ARGUMENTS, weights: null}
    name: trunk
    preprocess: true
    trainable: TRAINABLE
  - Dense: {units: 2}
    name: y
outputs: y
losses: mse
optimizer: {SGD: {learning_rate: 0.01}}
training: {epochs: 1, batch_size: 8, shuffle: false, jit: false, precision: float32}
""".replace("SIZE", str(SIZE)).replace("ARGUMENTS", ARGUMENTS)
PATTERNS = '["block_16_*", "Conv_1*"]'
RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 256, (12, SIZE, SIZE, 3)).astype("f")
Y = RANDOM.normal(size=(12, 2)).astype("f")


def by_hand(trainable: str, form: str = "single") -> Any:
    applications = keras.applications
    image = keras.Input((SIZE, SIZE, 3), name="image")
    trunk = applications.MobileNetV2(
        include_top=False, input_shape=(SIZE, SIZE, 3), pooling="avg", alpha=0.35, weights=None
    )
    trunk.trainable = trainable != "false"
    if trainable == PATTERNS:
        for layer in trunk.layers:
            layer.trainable = layer.name.startswith(("block_16_", "Conv_1"))
    h = trunk(applications.mobilenet_v2.preprocess_input(image))
    y = keras.layers.Dense(2, name="y")(h)
    return keras.Model(image, {"single": y, "list": [y], "dict": {"y": y}}[form])


@pytest.mark.sweep
@pytest.mark.parametrize("trainable", ["false", PATTERNS])
@pytest.mark.parametrize("form", ["single", "list", "dict"])
def test_training_is_that_of_the_model_by_hand(tmp_path: Path, trainable: str, form: str) -> None:
    """A frozen BatchNormalization uses its stored statistics, in training too.

    In float64: in float32 rounding alone changes weights near 0 by more than 1e-5 of themselves.
    """
    outputs = {"single": "y", "list": "[y]", "dict": "{y: y}"}[form]
    text = SPEC.replace("TRAINABLE", trainable).replace("float32", "float64")
    text = text.replace("outputs: y", f"outputs: {outputs}")
    source = modelspec.loads(text.replace("losses: mse", "losses: {y: mse}"))
    assert source.problems == []
    keras.config.set_dtype_policy("float64")
    try:
        plain = by_hand(trainable, form)
    finally:
        keras.config.set_dtype_policy("float32")
    plain.set_weights(source.build().get_weights())
    start = [weight.numpy() for weight in plain.weights]
    shaped = {"single": ("mse", Y), "list": (["mse"], [Y]), "dict": ({"y": "mse"}, {"y": Y})}[form]
    plain.compile(keras.optimizers.SGD(0.01), shaped[0])
    history = plain.fit(X, shaped[1], batch_size=8, shuffle=False, verbose=0).history
    run = modelspec.train(source, {"image": X, "y": Y}, run=tmp_path / "run")
    np.testing.assert_allclose(run.history[0]["loss"], history["loss"][0], rtol=1e-5)
    ours = keras.saving.load_model(run.model_path)
    changed = []
    for one, other, before in zip(ours.weights, plain.weights, start, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5)
        assert np.array_equal(one.numpy(), before) == np.array_equal(other.numpy(), before)
        changed += [] if np.array_equal(one.numpy(), before) else [one.path]
    assert any("block_16_" in path for path in changed) == (trainable == PATTERNS)
    assert not any("block_15_" in path for path in changed)


def test_a_nested_model_is_one_line_that_can_be_opened() -> None:
    source = modelspec.loads(SPEC.replace("TRAINABLE", "true"))
    rows = {row.name: row for row in source.summary().layers}
    assert rows["trunk"].type == "MobileNetV2"
    assert rows["trunk"].line == 6
    assert rows["trunk"].params == by_hand("true").layers[-2].count_params()
    opened = source.summary(nested=True)
    assert opened.params == source.summary().params
    inside = [row for row in opened.layers if row.name.startswith("trunk.")]
    assert len(inside) > 150
    assert sum(row.params for row in inside) == rows["trunk"].params


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("alpha: 0.35|alhpa: 0.35", "unknown-argument"),
        ("pooling: avg|pooling: mean", "wrong-value"),
        ("weights: null|weights: imagent", "wrong-value"),
        ("weights: null|weights: /etc/passwd", "wrong-value"),
        ("input_shape: [32, 32, 3]|input_shape: [8, 8, 3]", "bad-argument"),
        ("TRAINABLE|[Conv_2]", "unmatched-pattern"),
        ("MobileNetV2|MobilNetV2", "unknown-layer"),
    ],
)
def test_mistakes_have_their_line(change: str, code: str) -> None:
    old, new = change.split("|")
    problems = modelspec.loads(SPEC.replace(old, new).replace("TRAINABLE", "true")).check()
    assert [problem.code for problem in problems if problem.severity == "error"] == [code]
    assert problems[0].place.span.line == (9 if "TRAINABLE" in change else 6)


@pytest.mark.parametrize("key", ["preprocess: true", 'trainable: ["*"]'])
def test_keys_of_models_stand_beside_models_alone(key: str) -> None:
    text = SPEC.replace("TRAINABLE", "true").replace("    name: y", f"    name: y\n    {key}")
    [problem] = modelspec.loads(text).problems
    assert problem.place.span.line == 12


def imagenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[modelspec.ModelSpec, Path]:
    """A spec with trained weights, and the place of their file in an empty cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert keras_home() == tmp_path
    text = SPEC.replace("TRAINABLE", "false").replace("weights: null", "weights: imagenet")
    text = text.replace("[32, 32, 3]", "[96, 96, 3]")
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"
    return modelspec.loads(text), tmp_path / "models" / name


def test_weights_that_are_not_there_are_named_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.utils import file_utils

    def offline(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    source, place = imagenet(tmp_path, monkeypatch)
    monkeypatch.setattr(file_utils, "urlretrieve", offline)
    assert source.check() == []
    with pytest.raises(SpecError) as raised:
        source.build()
    [problem] = raised.value.problems
    assert problem.code == "weights-not-found"
    assert str(place) in problem.message
    assert problem.place.span.line == 6
    assert place.name in (problem.hint or "")


def test_a_file_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of Keras's own form, where Keras's own code looks for it, and reads it."""
    from keras.src.utils import file_utils

    def offline(*_: Any, **__: Any) -> None:
        raise AssertionError("it was asked for")

    source, place = imagenet(tmp_path, monkeypatch)
    monkeypatch.setattr(file_utils, "urlretrieve", offline)
    model = keras.applications.MobileNetV2(
        include_top=False, input_shape=(96, 96, 3), pooling="avg", alpha=0.35, weights=None
    )
    values = [RANDOM.normal(size=w.shape).astype("f") for w in model.get_weights()]
    model.set_weights(values)
    place.parent.mkdir()
    model.save(place)
    built = source.build()
    for ours, theirs in zip(built.get_layer("trunk").get_weights(), values, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def names() -> list[str]:
    entries = [catalog.load().find("layer", name) for name in catalog.load().names("layer")]
    return [entry.name for entry in entries if entry is not None and entry.module is not None]


def test_all_models_are_offered() -> None:
    offered = {name for name, member in vars(keras.applications).items() if callable(member)}
    assert set(names()) == offered


@pytest.mark.sweep
@pytest.mark.parametrize("name", names())
def test_every_model_is_a_layer(name: str) -> None:
    text = f"""
modelspec: 1
inputs: {{image: {{shape: [224, 224, 3]}}}}
layers:
  - {name}: {{include_top: false, weights: null, input_shape: [224, 224, 3], pooling: avg}}
    name: trunk
    preprocess: true
outputs: trunk
"""
    if name.startswith("NASNetLarge"):
        text = text.replace("224", "331")
    source = modelspec.loads(text)
    assert source.check() == []
    function = getattr(keras.applications, name)
    size = 331 if name.startswith("NASNetLarge") else 224
    with keras.StatelessScope(initialize_variables=False):
        plain = function(
            include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg"
        )
    assert source.summary().params.total == plain.count_params()

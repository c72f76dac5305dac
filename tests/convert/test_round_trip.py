"""A model → its spec → the same model, but for names that Keras or folding has generated."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from random_models import random_model
from round_trip import differences, without_names
from sweep_operations import case_of, spec_of

import modelspec
from modelspec import catalog as keras_catalog
from modelspec.backend.model.compiling import build_model, compile_model
from modelspec.convert.importing import Imported, import_config

pytestmark = pytest.mark.keras

ROOT = Path(__file__).parents[2]
CATALOG = keras_catalog.load()
layers = keras.layers
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
GUIDES = sorted((ROOT / "tests" / "guides").glob("*.yaml"))
FEW = ("lstm_seq2seq", "functional_ensemble", "siamese_contrastive", "vae_encoder", "conv_lstm")
APPLICATIONS = sorted(name for name in dir(keras.applications) if name[0].isupper())
LINES = {"ResNet50": 60, "VGG16": 30, "MobileNetV2": 70}
OPERATIONS = {"ops.get_item", "ops.split", "ops.where", "ops.einsum", "ops.concatenate", "ops.cast"}
REPLACED = {"LayerScale", "CustomScaleLayer"}
"""Layers inside of Keras that it does not offer; others compute the same."""


def built(text: str) -> Any:
    """The model of a text, with weights only where it is compiled."""
    spec = modelspec.loads(text)
    assert [problem.message for problem in spec.problems] == []
    valid = spec.require()
    trained = any(head.loss is not None for head in valid.heads)
    model, problems = build_model(valid.graph, valid.spec.training, CATALOG, allocate=trained)
    assert problems == []
    if trained:
        compile_model(model, valid)
    return model


def imported(model: Any, *, fold: bool = True) -> Imported:
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    return import_config(config, CATALOG, fold=fold)


def assert_same(model: Any, written: Imported) -> Any:
    assert [gap.message for gap, _ in written.gaps] == []
    again = built(written.text)
    assert list(differences(model, again)) == []
    if model.compiled:
        assert judged(model) == judged(again)
    return again


def judged(model: Any) -> Any:
    """The arguments of ``compile``; a bare name and its object are the same."""
    config = without_names(model.get_compile_config())
    objects = json.loads(json.dumps(config), object_hook=_bare)
    return {key: objects[key] for key in ("loss", "loss_weights", "metrics", "optimizer")}


def _bare(value: dict[str, Any]) -> Any:
    kind, config = value.get("class_name"), value.get("config")
    plain = kind is not None and hasattr(keras.metrics, kind) and isinstance(config, dict)
    with suppress(TypeError):  # it needs arguments
        if plain and config == without_names(getattr(keras.metrics, str(kind))().get_config()):
            return kind
    return value


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs(path: Path) -> None:
    model = built(path.read_text("utf-8"))
    assert_same(model, imported(model))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if path.stem in FEW else pytest.mark.sweep, id=path.stem)
        for path in GUIDES
    ],
)
def test_guides(path: Path) -> None:
    model = built(path.read_text("utf-8"))
    assert_same(model, imported(model))
    assert_same(model, imported(model, fold=False))


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask:UserWarning")
@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=() if seed < 5 else pytest.mark.sweep) for seed in range(60)],
)
def test_random_models(seed: int) -> None:
    spec = modelspec.loads(yaml.safe_dump(random_model(seed).spec, sort_keys=False))
    if any(problem.severity == "error" for problem in spec.check()):
        pytest.skip("Keras cannot train this model")
    model = built(yaml.safe_dump(random_model(seed).spec, sort_keys=False))
    assert_same(model, imported(model))


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in LINES else pytest.mark.sweep) for n in APPLICATIONS],
)
def test_applications(name: str) -> None:
    with keras.StatelessScope(initialize_variables=False):
        model = getattr(keras.applications, name)(weights=None)
    written = imported(model)
    again = built(written.text)
    assert again.count_params() == model.count_params()
    if not REPLACED & {type(layer).__name__ for layer in model.layers}:
        assert list(differences(model, again)) == []
    if name in LINES:
        assert written.text.count("\n") <= LINES[name]
        flat = imported(model, fold=False)
        assert [layer.name for layer in built(flat.text).layers] == [
            layer.name for layer in model.layers
        ]


def shared() -> Any:
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    dense = layers.Dense(3, name="dense")
    joined = layers.Concatenate()([dense(one), dense(two)])
    return keras.Model([one, two], layers.Dense(1, name="y")(joined))


def nested() -> Any:
    x = keras.Input((4,))
    inner = keras.Model(x, [layers.Dense(3)(x), layers.Dense(2)(x)], name="inner")
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    (a, b), (c, d) = inner(one), inner(two)
    chain = keras.Sequential([layers.Dense(4), layers.Dense(4)], name="chain")
    joined = layers.Concatenate()([a, b, c, d, chain(one)])
    return keras.Model({"one": one, "two": two}, {"y": layers.Dense(1)(joined), "z": d})


def states() -> Any:
    x = keras.Input((5, 3), name="x")
    out, h, c = layers.LSTM(4, return_sequences=True, return_state=True)(x)
    again = layers.LSTM(4)(out, initial_state=[h, c])
    both = layers.Bidirectional(layers.GRU(2, return_state=True))(x)
    return keras.Model(x, layers.Concatenate()([again, *both]))


def branches() -> Any:
    x = inputs = keras.Input((16, 16, 3), name="x")
    for filters in (8, 8, 16, 16, 16):
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        y = layers.BatchNormalization()(y)
        y = layers.ReLU(max_value=6)(y)
        z = layers.Conv2D(filters, 1)(x)
        x = layers.Add()([y, z])
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


def frozen() -> Any:
    model = keras.Sequential([keras.Input((4,)), *(layers.Dense(4) for _ in range(6))])
    model.layers[1].trainable = False
    return model


def arguments() -> Any:
    x = inputs = keras.Input((12, 12, 3), name="x")
    x = layers.Conv2D(4, (3, 1), strides=(1, 2), kernel_initializer="he_normal")(x)
    x = layers.MaxPooling2D((2, 2), strides=1, padding="same")(x)
    x = layers.BatchNormalization(momentum=0.9, beta_regularizer="l2", dtype="float64")(x)
    x = layers.ZeroPadding2D(((1, 0), (2, 2)))(x)
    x = layers.Dense(2, bias_initializer=keras.initializers.Constant(0.5))(x)
    x = layers.Dropout(0.5, seed=3)(x, training=True)
    return keras.Model(inputs, layers.Flatten(name="flat out")(x))


def towers() -> Any:
    """Repeats in blocks in blocks."""
    x = inputs = keras.Input((8,), name="x")
    for tower, units in enumerate((8, 8, 16)):
        x = layers.Dense(units, name=f"t{tower}_in")(x)
        for step in range(3):
            y = layers.Dense(units, "relu", name=f"t{tower}_{step}_a")(x)
            y = layers.LayerNormalization(name=f"t{tower}_{step}_b")(y)
            x = layers.Add(name=f"t{tower}_{step}_sum")([x, y])
        x = layers.Dropout(0.1 * tower, name=f"t{tower}_drop")(x)
    return keras.Model(inputs, layers.Dense(3, name="y")(x))


def fitted() -> Any:
    x = keras.Input((4,), name="x")
    normal = layers.Normalization(name="normal")
    normal.adapt(np.random.default_rng(0).random((50, 4)))
    return keras.Model(x, layers.Dense(2)(normal(x)))


MADE = (towers, fitted, shared, nested, states, branches, frozen, arguments)


@pytest.mark.parametrize("fold", [True, False], ids=["folded", "flat"])
@pytest.mark.parametrize("make", MADE)
def test_models_made_here_give_the_same_outputs(make: Any, *, fold: bool, tmp_path: Path) -> None:
    model = make()
    model.save(tmp_path / "m.keras")
    written = modelspec.import_model(tmp_path / "m.keras", tmp_path / "s.yaml", flat=not fold)
    (tmp_path / "s.yaml").write_text(written.text, encoding="utf-8")
    spec = modelspec.load(tmp_path / "s.yaml")
    assert [problem.message for problem in spec.check()] == []
    again = spec.build()
    assert list(differences(model, again)) == []
    random = np.random.default_rng(0)
    arrays = [random.random((2, *tensor.shape[1:]), np.float32) for tensor in model.inputs]
    theirs = keras.tree.flatten(model(_in_form(model, arrays)))
    ours = keras.tree.flatten(again(_in_form(again, arrays)))
    for one, other in zip(theirs, ours, strict=True):
        if make is not arguments:  # it draws numbers
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def _in_form(model: Any, arrays: list[Any]) -> Any:
    structure = getattr(model, "_functional", model)._inputs_struct
    return keras.tree.pack_sequence_as(structure, arrays)


def test_an_hdf5_file_is_read_as_well(tmp_path: Path) -> None:
    model = branches()
    model.compile("adam", "mse")
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")  # Keras forgets the optimizer by that
    old, new = (modelspec.import_model(tmp_path / name).text for name in ("m.h5", "m.keras"))
    assert old.replace("m.h5", "m.keras") == new
    assert "adam" in old


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in OPERATIONS else pytest.mark.sweep)
        for name in CATALOG.names("operation")
    ],
)
def test_operations(name: str) -> None:
    spec = yaml.safe_dump(spec_of(name, case_of(CATALOG, name)), sort_keys=False)
    try:
        model = built(spec)
    except AssertionError:
        pytest.skip("Keras cannot build this call")
    assert_same(model, imported(model))


def sequences() -> Any:
    """Layers whose weights Keras 2 lists in another order than new files have them."""
    words = keras.Input((6,), name="words")
    x = layers.Embedding(9, 4)(words)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.MultiHeadAttention(2, 3)(x, x)
    x = layers.TimeDistributed(layers.BatchNormalization())(x)
    x = layers.GRU(3, trainable=False)(x)
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(4, name="first")], name="inner")
    return keras.Model(words, layers.Dense(2, name="y")(layers.BatchNormalization()(inner(x))))


@pytest.mark.parametrize("make", [sequences, branches])
def test_a_spec_of_an_hdf5_file_starts_from_its_weights(make: Any, tmp_path: Path) -> None:
    model = make()
    random = np.random.default_rng(0)
    model.set_weights([random.random(weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "m.h5")
    text = modelspec.import_model(tmp_path / "m.h5", tmp_path / "s.yaml").text
    assert "from: m.h5" in text
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    spec = modelspec.load(tmp_path / "s.yaml")
    assert [problem.message for problem in spec.check() if problem.severity == "error"] == []
    again = spec.build()
    arrays = [random.random((2, *tensor.shape[1:]), np.float32) for tensor in model.inputs]
    theirs, ours = (
        keras.tree.flatten(one_model(_in_form(one_model, arrays), training=False))
        for one_model in (model, again)
    )
    for one, other in zip(theirs, ours, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def scaled() -> Any:
    """The two layers inside of Keras that it does not offer, as ConvNeXt and Inception use them."""
    from keras.src.applications.convnext import LayerScale
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    x = inputs = keras.Input((4, 4, 3), name="x")
    y = layers.Conv2D(6, 3, padding="same", name="conv")(x)
    y = LayerScale(1e-6, 6, name="gamma")(y)
    y = layers.Conv2D(3, 1, name="back")(y)
    x = CustomScaleLayer(0.17, name="mixed")([x, y])
    inner = keras.Model(inputs, layers.Add()([x, y]), name="inner")
    outside = keras.Input((4, 4, 3), name="x")
    return keras.Model(outside, layers.Flatten(name="y")(inner(outside)))


@pytest.mark.parametrize(
    "keep_nested",
    [pytest.param(False, id="block", marks=pytest.mark.sweep), pytest.param(True, id="nested")],
)
def test_layers_inside_of_keras_compute_the_same(keep_nested: bool, tmp_path: Path) -> None:  # noqa: FBT001 - pytest's
    model = scaled()
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "m.keras")
    written = modelspec.import_model(
        tmp_path / "m.keras", tmp_path / "s.yaml", keep_nested=keep_nested
    )
    assert written.problems == ()
    (tmp_path / "s.yaml").write_text(written.text, encoding="utf-8")
    spec = modelspec.load(tmp_path / "s.yaml")
    assert [problem.message for problem in spec.check()] == []
    again = spec.build()
    assert again.count_params() == model.count_params()
    x = random.normal(size=(3, 4, 4, 3)).astype("f")
    np.testing.assert_allclose(np.asarray(again([x])), np.asarray(model(x)), rtol=1e-6, atol=1e-6)


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["ConvNeXtTiny", "InceptionResNetV2"])
def test_applications_with_such_layers_give_the_same_outputs(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    size = 75 if name.startswith("I") else 32
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg"
    )
    random = np.random.default_rng(0)
    for weight in model.weights:  # scales near 0 would hide a branch
        if weight.path.endswith("gamma"):
            weight.assign(random.normal(size=weight.shape))
    model.save(tmp_path / "m.keras")
    written = modelspec.import_model(tmp_path / "m.keras", tmp_path / "s.yaml")
    (tmp_path / "s.yaml").write_text(written.text, encoding="utf-8")
    again = modelspec.load(tmp_path / "s.yaml").build()
    x = random.normal(size=(2, size, size, 3)).astype("f")
    wanted = np.asarray(model(x))
    scale = float(np.abs(wanted).max())
    np.testing.assert_allclose(np.asarray(again([x])), wanted, rtol=0, atol=1e-5 * scale)

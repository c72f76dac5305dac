"""Models from files as layers, against the same done by hand in plain Keras."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import modelspec
from modelspec.cli.commands import VERBS, attribute
from modelspec.problems.errors import ModelError, RunError, SpecError
from modelspec.runs.progress import NullListener

pytestmark = pytest.mark.keras

SAVED = Path(__file__).parents[1] / "mistakes" / "models" / "trunk.keras"
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(24, 8)).astype("f")
Y = {name: RANDOM.normal(size=(24, 1)).astype("f") for name in ("a", "b")}
SPEC = """
modelspec: 1
name: cut
inputs: {x: {shape: [8]}}
models:
  trunk: {path: PATH, until: norm}
layers:
  - trunk:
    trainable: ["hid*"]
  - Dense: {units: 1}
    name: a
  - Dense: {units: 1}
    name: b
    from: trunk
outputs: OUTPUTS
losses: mse
optimizer: {SGD: {learning_rate: 0.1}}
training: {epochs: 1, batch_size: 8, shuffle: false, jit: false}
""".replace("PATH", str(SAVED))
FORMS: dict[str, Callable[[Any, Any], Any]] = {
    "a": lambda a, _: a,
    "[a, b]": lambda a, b: [a, b],
    "{left: a, right: b}": lambda a, b: {"left": a, "right": b},
}


def by_hand(form: Callable[[Any, Any], Any]) -> Any:
    saved = keras.saving.load_model(SAVED)
    trunk = keras.Model(saved.inputs[0], saved.get_layer("norm").output, name="trunk")
    for layer in trunk.layers:
        layer.trainable = layer.name.startswith("hid")
    x = keras.Input((8,), name="x")
    h = trunk(x)
    heads = (keras.layers.Dense(1, name=name)(h) for name in ("a", "b"))
    return keras.Model(x, form(*heads))


@pytest.mark.parametrize(
    "outputs",
    [pytest.param(form, marks=() if form.startswith("{") else pytest.mark.sweep) for form in FORMS],
)
def test_a_cut_model_trains_as_by_hand(tmp_path: Path, outputs: str) -> None:
    form = FORMS[outputs]
    text = SPEC.replace("OUTPUTS", outputs)
    if outputs != "a":
        losses = "{left: mse, right: mse}" if "left" in outputs else "[mse, mse]"
        text = text.replace("losses: mse", f"losses: {losses}")
    source = modelspec.loads(text)
    assert [problem for problem in source.check() if problem.severity == "error"] == []
    plain = by_hand(form)
    start = source.build()
    saved = keras.saving.load_model(SAVED).get_layer("hidden").get_weights()
    for ours, theirs in zip(start.get_layer("trunk").get_weights(), saved, strict=False):
        np.testing.assert_array_equal(ours, theirs)
    plain.set_weights(start.get_weights())
    results = keras.tree.flatten(start([X])), keras.tree.flatten(plain(X))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    plain.compile(keras.optimizers.SGD(0.1), form("mse", "mse"))
    targets = form(Y["a"], Y["b"])
    history = plain.fit(X, targets, batch_size=8, shuffle=False, verbose=0).history
    names = ["left", "right"] if "left" in outputs else ["a", "b"][: len(outputs)]
    data = dict(zip(names, Y.values(), strict=False))
    run = modelspec.train(source, {"x": X, **data}, run=tmp_path / "run")
    np.testing.assert_allclose(run.history[0]["loss"], history["loss"][0], rtol=1e-5)
    ours = keras.saving.load_model(run.model_path)
    for one, other in zip(ours.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


def two_ends(path: Path) -> Any:
    """A model with two inputs and a dict of two outputs."""
    x, z = keras.Input((3,), name="x"), keras.Input((2,), name="z")
    late = keras.layers.Dense(2, name="late")(keras.layers.Concatenate(name="both")([x, z]))
    early = keras.layers.Dense(1, name="early")(x)
    model = keras.Model({"x": x, "z": z}, {"late": late, "early": early})
    model.save(path)
    return model


def test_several_inputs_and_outputs_by_name_and_one_model_twice(tmp_path: Path) -> None:
    model = two_ends(tmp_path / "m.keras")
    (tmp_path / "s.yaml").write_text(
        """
modelspec: 1
inputs: {left: {shape: [3]}, right: {shape: [2]}}
models: {ends: {path: m.keras}, start: {path: m.keras, until: early}}
layers:
  - ends:
    from: {z: right, x: left}
    as: [wide, narrow]
  - ends:
    from: [left, right]
    as: [wide_again, narrow_again]
  - start:
    from: left
  - Concatenate:
    from: [wide, narrow, wide_again, narrow_again, start]
    name: y
outputs: y
"""
    )
    source = modelspec.load(tmp_path / "s.yaml")
    assert source.check() == []
    summary = source.summary()
    assert summary.params.total == 2 * 5 + 2 + (3 + 1) * 2
    assert [row.name for row in summary.layers if row.params] == ["ends", "start"]
    left, right = X[:, :3], X[:, 3:5]
    result = np.asarray(source.build()([left, right]))
    wanted = model({"x": left, "z": right})
    both = np.concatenate([wanted["late"], wanted["early"]], -1)
    np.testing.assert_allclose(result, np.concatenate([both, both, wanted["early"]], -1), rtol=1e-6)


CHAIN = """
modelspec: 1
name: chain
inputs: {x: {shape: [8]}}
models: {trunk: {path: trunk.keras, until: hidden}}
layers:
  - trunk:
    trainable: false
  - Dense: {units: 1}
    name: a
outputs: a
losses: mse
training: {epochs: 2, batch_size: 8, jit: false}
"""


def test_a_run_goes_on_with_a_moved_file_and_not_with_another(tmp_path: Path) -> None:
    spec, data = tmp_path / "s.yaml", {"x": X, "a": Y["a"]}
    spec.write_text(CHAIN)
    shutil.copy(SAVED, tmp_path / "trunk.keras")
    moved = [f"models.trunk.path={tmp_path / 'moved.keras'}"]
    run = modelspec.train(modelspec.load(spec), data, run=tmp_path / "run")
    whole = modelspec.train(
        modelspec.load(spec, ["training.epochs=3"]), data, run=tmp_path / "whole"
    )
    (tmp_path / "trunk.keras").rename(tmp_path / "moved.keras")
    [gone] = modelspec.load(spec).problems
    assert gone.code == "model-not-found"
    target = modelspec.open_target(run.path)
    assert modelspec.predict(target, {"x": X}).arrays["a"].shape == (24, 1)
    with pytest.raises(SpecError, match=r"trunk: there is no .*trunk\.keras"):
        modelspec.load(run.spec_path).build()
    longer = [*moved, "training.epochs=3"]
    modelspec.train(modelspec.load(spec, longer), data, run=run.path, resume=True)
    models = [keras.saving.load_model(one.model_path) for one in (run, whole)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    other = keras.saving.load_model(tmp_path / "moved.keras")
    other.set_weights([value + 1 for value in other.get_weights()])
    other.save(tmp_path / "moved.keras")
    longer[-1] = "training.epochs=4"
    with pytest.raises(RunError, match="SHA-256 differs"):
        modelspec.train(modelspec.load(spec, longer), data, run=run.path, resume=True)


class Notes(NullListener):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize("own", [False, pytest.param(True, marks=pytest.mark.sweep)])
def test_a_run_goes_on_when_the_file_is_gone(tmp_path: Path, *, own: bool) -> None:
    """The checkpoint has the weights, and the run keeps the config."""
    spec, data = tmp_path / "s.yaml", {"x": X, "a": Y["a"]}
    spec.write_text(CHAIN)
    shutil.copy(SAVED, tmp_path / "trunk.keras")
    run = modelspec.train(modelspec.load(spec), data, run=tmp_path / "run")
    longer = ["training.epochs=3"]
    whole = modelspec.train(modelspec.load(spec, longer), data, run=tmp_path / "whole")
    (tmp_path / "trunk.keras").unlink()
    before = modelspec.predict(modelspec.open_target(run.path), {"x": X}).arrays["a"]
    run.model_path.unlink()
    after = modelspec.predict(modelspec.open_target(run.path), {"x": X}).arrays["a"]
    np.testing.assert_array_equal(before, after)
    source = modelspec.load(run.spec_path if own else spec, longer, run=run.path)
    notes = Notes()
    modelspec.train(source, data, run=run.path, resume=True, listener=notes)
    assert any("trunk.keras, the model trunk, does not exist" in note for note in notes.notes)
    for one, other in zip(*(saved_weights(one.model_path) for one in (run, whole)), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(SpecError, match="there is no"):
        modelspec.train(source, data, run=tmp_path / "new")


def test_what_a_layer_was_fitted_to_is_in_the_file_alone(tmp_path: Path) -> None:
    layer = keras.layers.Normalization(name="scale")
    layer.adapt(X)
    keras.Sequential([keras.Input((8,)), layer]).save(tmp_path / "m.keras")
    text = CHAIN.replace("trunk.keras, until: hidden", str(tmp_path / "m.keras"))
    data = {"x": X, "a": Y["a"]}
    run = modelspec.train(modelspec.loads(text), data, run=tmp_path / "run")
    (tmp_path / "m.keras").unlink()
    source = modelspec.load(run.spec_path, ["training.epochs=3"])
    with pytest.raises(SpecError, match="the only file with the values that scale was fitted to"):
        modelspec.train(source, data, run=run.path, resume=True)


def test_a_run_is_a_model(tmp_path: Path) -> None:
    text = CHAIN.replace("trunk.keras", str(SAVED))
    modelspec.train(modelspec.loads(text), {"x": X, "a": Y["a"]}, run=tmp_path / "run")
    text = CHAIN.replace("trunk.keras", str(tmp_path / "run")).replace("hidden", "trunk")
    source = modelspec.loads(text)
    assert source.check() == []
    inner = source.summary(nested=True).layers
    assert [row.name for row in inner if row.type == "Dense"] == ["trunk.trunk.hidden", "a"]
    (tmp_path / "run" / "model.keras").unlink()
    [problem] = modelspec.loads(text).problems
    assert (problem.code, "--resume finishes it" in str(problem.hint)) == ("model-unreadable", True)


def nested(path: Path) -> Any:
    """A model in a model in a model: ``inner.deep.leaf`` is the inmost layer."""
    deepest = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(4, name="stem"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(3, name="leaf"),
        ],
        name="deep",
    )
    h = keras.Input((4,), name="h")
    inner = keras.Model(h, deepest(keras.layers.Dense(4, name="low")(h)), name="inner")
    x = keras.Input((8,), name="x")
    keras.Model(x, inner(keras.layers.Dense(4, name="start")(x))).save(path)
    return keras.saving.load_model(path)


def part_until_norm(saved_model: Any) -> Any:
    inner = saved_model.get_layer("inner")
    deep = inner.get_layer("deep")
    h = keras.Input((4,))
    part = keras.Model(deep.inputs, deep.get_layer("norm").output)
    part = keras.Model(h, part(inner.get_layer("low")(h)))
    x = keras.Input((8,))
    return keras.Model(x, part(saved_model.get_layer("start")(x)))


@pytest.mark.parametrize(
    ("until", "patterns", "trained"),
    [
        (", until: inner.deep.norm", ["inner.deep", "start"], {"start", "stem", "norm"}),
        pytest.param("", ["inner.deep.leaf"], {"leaf"}, marks=pytest.mark.sweep),
        pytest.param("", ["*.l*"], {"low", "leaf"}, marks=pytest.mark.sweep),
    ],
)
def test_layers_inside_of_models_train_as_by_hand(
    tmp_path: Path, until: str, patterns: list[str], trained: set[str]
) -> None:
    saved_model = nested(tmp_path / "m.keras")
    text = CHAIN.replace("trunk.keras, until: hidden", f"{tmp_path / 'm.keras'}{until}")
    text = text.replace("trainable: false", f"trainable: {patterns}")
    source = modelspec.loads(text.replace("epochs: 2", "epochs: 1, shuffle: false"))
    assert [p for p in source.check() if p.severity == "error"] == []
    trunk = part_until_norm(saved_model) if until else saved_model
    for layer in deep_layers(trunk):
        if not isinstance(layer, keras.Model):
            layer.trainable = layer.name in trained
    x = keras.Input((8,), name="x")
    plain = keras.Model(x, keras.layers.Dense(1, name="a")(trunk(x)))
    plain.set_weights(source.build().get_weights())
    plain.compile("rmsprop", "mse")
    plain.fit(X, Y["a"], batch_size=8, shuffle=False, verbose=0)
    run = modelspec.train(source, {"x": X, "a": Y["a"]}, run=tmp_path / "run")
    for one, other in zip(saved_weights(run.model_path), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def deep_layers(model: Any) -> list[Any]:
    inside = [inner for layer in model.layers for inner in getattr(layer, "layers", [])]
    return [*model.layers, *(deep for layer in inside for deep in [layer, *layers_of(layer)])]


def layers_of(layer: Any) -> list[Any]:
    return deep_layers(layer) if isinstance(layer, keras.Model) else []


def saved_weights(path: Path) -> list[Any]:
    weights: list[Any] = keras.saving.load_model(path).get_weights()
    return weights


@pytest.mark.parametrize(
    ("until", "patterns", "line", "told"),
    [
        ("norm", "[start]", 5, "until: inner.deep.norm"),
        ("inner.deep.nrom", "[start]", 5, "did you mean norm?"),
        ("inner", "[leaf]", 8, "*.leaf matches inner.deep.leaf"),
    ],
)
def test_a_layer_inside_of_a_model_is_named_with_it(
    tmp_path: Path, until: str, patterns: str, line: int, told: str
) -> None:
    nested(tmp_path / "m.keras")
    text = CHAIN.replace("trunk.keras, until: hidden", f"{tmp_path / 'm.keras'}, until: {until}")
    problems = modelspec.loads(text.replace("trainable: false", f"trainable: {patterns}")).check()
    [problem] = [p for p in problems if p.severity == "error"]
    assert problem.place.span.line == line
    assert told in str(problem.hint)


@pytest.mark.parametrize("until", [", until: hidden", pytest.param("", marks=pytest.mark.sweep)])
def test_a_sequential_model_is_a_layer(tmp_path: Path, until: str) -> None:
    saved_model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3, name="hidden")])
    saved_model.save(tmp_path / "m.keras")
    text = CHAIN.replace("trunk.keras, until: hidden", f"{tmp_path / 'm.keras'}{until}")
    model = modelspec.loads(text).build()
    ours = model.get_layer("trunk")(X)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(saved_model(X)))


def test_a_difference_of_models_is_told(tmp_path: Path) -> None:
    for name, until in (("one", "hidden"), ("other", "norm")):
        text = CHAIN.replace("trunk.keras", str(SAVED)).replace("hidden", until)
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "moved").mkdir()
    shutil.copy(SAVED, tmp_path / "moved" / "trunk.keras")
    (tmp_path / "moved" / "same.yaml").write_text(CHAIN)
    one, other, same = (tmp_path / name for name in ("one.yaml", "other.yaml", "moved/same.yaml"))
    assert modelspec.diff(one, same).is_empty
    [change] = modelspec.diff(one, other).settings
    assert (change.name, change.a["until"], change.b["until"]) == ("models.trunk", "hidden", "norm")


def test_ids_outside_an_embedding_of_the_model_are_found(tmp_path: Path) -> None:
    words = keras.Input((4,), dtype="int32", name="words")
    inner = keras.layers.Embedding(10, 3, name="table")(words)
    keras.Model(words, keras.layers.Flatten(name="flat")(inner)).save(tmp_path / "m.keras")
    text = CHAIN.replace("trunk.keras", str(tmp_path / "m.keras")).replace("hidden", "flat")
    text = text.replace("x: {shape: [8]}", "x: {shape: [4], dtype: int32}")
    ids = np.array([[0, 1, 2, 9], [0, 1, 2, 10]], "int32")
    problems = modelspec.loads(text).check({"x": ids, "a": np.zeros((2, 1), "f")})
    wrong = [problem for problem in problems if problem.severity == "error"]
    assert [(p.code, p.place.span.line) for p in wrong] == [("id-out-of-range", 7)]


def test_a_model_with_a_vocabulary_is_checked_on_tensorflow(tmp_path: Path) -> None:
    word = keras.Input((1,), dtype="string", name="word")
    number = keras.layers.StringLookup(vocabulary=["a", "b"], name="hidden")(word)
    keras.Model(word, number).save(tmp_path / "m.keras")
    text = CHAIN.replace("trunk.keras", str(tmp_path / "m.keras"))
    text = text.replace("x: {shape: [8]}", "x: {shape: [1], dtype: string}")
    source = modelspec.loads(text.replace("a\nlosses: mse", "trunk"))
    assert source.requires_tensorflow
    model = source.build()
    assert np.asarray(model([np.array([["b"], ["c"]])])).tolist() == [[2], [0]]


def layer(model: dict[str, Any], **changes: Any) -> None:
    model["config"]["layers"][1].update(changes)


def inside(model: dict[str, Any], **changes: Any) -> None:
    model["config"]["layers"][1]["config"].update(changes)


SYSTEM = {"module": "os", "class_name": "function", "config": "system", "registered_name": None}
LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "inner"}}
MINE = {"registered_name": "mine>Own", "class_name": "Own", "module": None}
CONFIGS: dict[str, tuple[Callable[[Any], None], str]] = {
    "a module path": (lambda c: layer(c, module="os.path"), "the module 'os.path'"),
    "a private module": (lambda c: layer(c, module="keras.src.layers"), "not Keras's"),
    "a function of a module": (lambda c: inside(c, activation=SYSTEM), "nothing named 'system'"),
    "a Lambda in a wrapper": (
        lambda c: layer(c, class_name="TimeDistributed", config={"layer": LAMBDA}),
        "layer 'inner': a Lambda",
    ),
    "a class of its author": (lambda c: layer(c, **MINE), "--plugin"),
    "a program": (lambda c: layer(c, class_name="TFSMLayer"), "loads and runs a program"),
    "a file of words": (
        lambda c: layer(c, class_name="StringLookup", config={"vocabulary": "/etc/passwd"}),
        "from another file",
    ),
}


def saved(
    path: Path,
    change: Callable[[Any], None] | None = None,
    others: Mapping[str, bytes] | None = None,
) -> Path:
    with zipfile.ZipFile(SAVED) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    if change is not None:
        change(config)
    members |= {"config.json": json.dumps(config).encode(), **(others or {})}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refused(path: Path) -> str:
    text = CHAIN.replace("trunk.keras", str(path))
    [problem] = modelspec.loads(text).problems
    assert (problem.code, problem.place.span.line) == ("unsafe-model", 5)
    return problem.message


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_that_name_code_are_refused(tmp_path: Path, name: str) -> None:
    change, why = CONFIGS[name]
    message = refused(saved(tmp_path / "m.keras", change))
    assert why in message
    assert "layer '" in message


def external(file: h5py.File) -> None:
    file["layers/dense/vars/7"] = h5py.ExternalLink("/etc/passwd", "x")


def soft(file: h5py.File) -> None:
    file["layers/dense/vars/7"] = h5py.SoftLink("/layers")


def empty(file: h5py.File) -> None:
    file.create_dataset("layers/dense/vars/7", shape=(2**33,), dtype="f4", chunks=(2**20,))


@pytest.mark.parametrize(
    ("change", "why"), [(external, "is a link"), (soft, "is a link"), (empty, "holds 0 bytes")]
)
def test_weights_that_lead_elsewhere_are_refused(tmp_path: Path, change: Any, why: str) -> None:
    with zipfile.ZipFile(SAVED) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        change(file)
    path = saved(tmp_path / "m.keras", others={"model.weights.h5": weights.getvalue()})
    assert why in refused(path)


def test_names_that_leave_the_archive_are_refused(tmp_path: Path) -> None:
    assert "leaves the archive" in refused(saved(tmp_path / "m.keras", others={"../x": b""}))


def test_layers_larger_than_their_file_are_not_built(tmp_path: Path) -> None:
    def change(config: Any) -> None:
        for entry in config["config"]["layers"]:
            entry.pop("build_config", None)
        inside(config, units=2**30)

    text = CHAIN.replace("trunk.keras", str(saved(tmp_path / "m.keras", change)))
    problems = [p for p in modelspec.loads(text).check() if p.severity == "error"]
    assert [(p.code, p.place.span.line) for p in problems] == [("model-unreadable", 5)]
    with pytest.raises(SpecError, match="weights, but its file has"):
        modelspec.loads(text).build()


def test_every_command_that_takes_set_takes_model() -> None:
    takes = {}
    for verb in VERBS:
        command = getattr(import_module(f"modelspec.cli.{attribute(verb)}"), attribute(verb))
        takes[verb] = {option for one in command.params for option in one.opts}
    assert {v for v, o in takes.items() if "--set" in o} == {
        v for v, o in takes.items() if "--model" in o
    }
    assert {"check", "summary", "train", "evaluate", "plot"} <= {
        v for v, o in takes.items() if "--model" in o
    }


def changed(path: Path, version: object, old: str, new: str) -> Path:
    """The saved trunk as another Keras might have saved it."""
    with zipfile.ZipFile(SAVED) as old_file, zipfile.ZipFile(path, "w") as new_file:
        for member in old_file.namelist():
            content = old_file.read(member)
            if member == "config.json":
                assert old.encode() in content
                content = content.replace(old.encode(), new.encode())
            if member == "metadata.json":
                content = json.dumps({"keras_version": version}).encode()
            new_file.writestr(member, content)
    return path


NEWER = f"Keras 99.1.0 saved it, but the installed Keras is {keras.__version__}"


@pytest.mark.parametrize(
    ("old", "new"),
    [('"use_bias"', '"use_flux"'), ('"class_name": "Dense"', '"class_name": "Denser"')],
)
def test_a_file_of_a_newer_keras_is_told(tmp_path: Path, old: str, new: str) -> None:
    path = changed(tmp_path / "new.keras", "99.1.0", old, new)
    source = modelspec.loads(SPEC.replace(str(SAVED), str(path)).replace("OUTPUTS", "[a, b]"))
    problem = source.check()[0]
    assert NEWER in str(problem.hint)
    with pytest.raises(ModelError) as refused:
        modelspec.open_target(path).model()
    assert NEWER in str(refused.value)
    with pytest.raises(ModelError) as refused:
        modelspec.plot(modelspec.open_target(path))
    assert NEWER in str(refused.value)


@pytest.mark.parametrize("version", [keras.__version__, "3.0", "x", None, [9], "9" * 10_000])
def test_no_other_version_is_blamed(tmp_path: Path, version: object) -> None:
    path = changed(tmp_path / "old.keras", version, '"use_bias"', '"use_flux"')
    with pytest.raises(ModelError, match=r"layer .hidden.: .*use_flux") as refused:
        modelspec.open_target(path).model()
    assert "saved it" not in str(refused.value)


def test_import_tells_a_newer_keras_only_of_gaps(tmp_path: Path) -> None:
    path = changed(tmp_path / "new.keras", "99.1.0", '"use_bias"', '"use_flux"')
    assert any(NEWER in note for note in modelspec.import_model(path).notes)
    path = changed(tmp_path / "whole.keras", "99.1.0", '"use_bias"', '"use_bias"')
    assert not any(NEWER in note for note in modelspec.import_model(path).notes)

"""Own parts: read from text, built like Keras's own, recorded, and named only by the caller."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from rounding import rounding

import modelspec
from modelspec.api.balance import measure
from modelspec.api.costs import estimate
from modelspec.api.target import Target
from modelspec.api.timing import measure as time_epoch
from modelspec.catalog import load as load_catalog
from modelspec.catalog.plugins import read_plugins, using
from modelspec.cli import modelspec as command
from modelspec.schema import language_schema

pytestmark = pytest.mark.keras

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "specs" / "plugins" / "variational.py"

PARTS = '''
"""Parts of every family."""

import keras
from keras import layers, ops

registered = keras.saving.register_keras_serializable


@keras.saving.register_keras_serializable(package="own")
class Scaled(layers.Layer):
    """Multiply by a learned number.

    Args:
        start: Float. The number at the beginning.
        mode: String. One of `"plain"`, `"squared"`.
    """

    def __init__(self, start: float, mode: str = "plain", **kwargs):
        super().__init__(**kwargs)
        self.start, self.mode = start, mode

    def build(self, shape):
        start = keras.initializers.Constant(self.start)
        self.factor = self.add_weight(shape=(), initializer=start, name="factor")

    def call(self, inputs):
        factor = ops.square(self.factor) if self.mode == "squared" else self.factor
        return inputs * factor

    def get_config(self):
        return {**super().get_config(), "start": self.start, "mode": self.mode}


@keras.saving.register_keras_serializable(package="own")
class Quantile(keras.losses.Loss):
    """The loss of a quantile."""

    def __init__(self, share: float = 0.5, **kwargs):
        super().__init__(**kwargs)
        self.share = share

    def call(self, y_true, y_pred):
        error = y_true - y_pred
        return ops.mean(ops.maximum(self.share * error, (self.share - 1) * error), axis=-1)

    def get_config(self):
        return {**super().get_config(), "share": self.share}


@keras.saving.register_keras_serializable(package="own")
def cubed(y_true, y_pred):
    """The third power of the distance."""
    return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)


@keras.saving.register_keras_serializable(package="own")
def bent(x):
    """A smooth step."""
    return x / (1 + ops.abs(x))


@keras.saving.register_keras_serializable(package="own")
class Fourth(keras.regularizers.Regularizer):
    """The fourth power of weights."""

    def __init__(self, factor: float = 0.01):
        self.factor = factor

    def __call__(self, x):
        return self.factor * ops.sum(x**4)

    def get_config(self):
        return {"factor": self.factor}


@keras.saving.register_keras_serializable(package="own")
class Thirds(keras.initializers.Initializer):
    """A third everywhere."""

    def __call__(self, shape, dtype=None):
        return ops.ones(shape, dtype) / 3

    def get_config(self):
        return {}


@keras.saving.register_keras_serializable(package="own")
class Small(keras.optimizers.SGD):
    """Steepest descent."""


@keras.saving.register_keras_serializable(package="own")
def nearness(_unused, y_pred):
    """The distance of predictions from 0, without targets."""
    return ops.mean(ops.square(y_pred), axis=-1)


@keras.saving.register_keras_serializable(package="own")
class Endpoint(layers.Layer):
    """A loss of its own, of an output and its target, which is an input."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.distance = keras.metrics.Mean("distance")

    def call(self, prediction, truth):
        distance = ops.mean(ops.square(prediction - truth))
        self.add_loss(distance)
        self.distance.update_state(distance)
        return prediction


@keras.saving.register_keras_serializable(package="own")
class Penalty(layers.Layer):
    """Add the mean square of what comes in to the loss."""

    def call(self, inputs):
        self.add_loss(ops.mean(ops.square(inputs)))
        return inputs


class Counting(keras.callbacks.Callback):
    """Count epochs."""

    def __init__(self, step: int = 1):
        super().__init__()
        self.step = step
'''

SPEC = """
modelspec: 1
name: own
inputs: {x: {shape: [4]}}
layers:
  - Dense:
      units: 6
      activation: bent
      kernel_initializer: Thirds
      kernel_regularizer: {Fourth: {factor: 0.02}}
  - Scaled: {start: 1.5, mode: squared}
  - Dense: {units: 1}
    name: y
outputs: y
losses: {Quantile: {share: 0.7}}
metrics: cubed
optimizer: {Small: {learning_rate: 0.05}}
training: {epochs: 3, batch_size: 8, shuffle: false}
"""
RANDOM = np.random.default_rng(0)
DATA: dict[str, Any] = {
    "x": RANDOM.normal(size=(40, 4)).astype("f"),
    "y": RANDOM.normal(size=(40, 1)).astype("f"),
}


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plugins") / "parts.py"
    path.write_text(PARTS)
    return path


@pytest.fixture(scope="module")
def run(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("runs") / "own"
    return modelspec.train(modelspec.loads(SPEC, plugins=[plugin]), DATA, run=folder)


def test_training_gives_what_plain_keras_gives(run: Any, plugin: Path) -> None:
    space: dict[str, Any] = {"__name__": "by_hand"}
    exec(compile(PARTS.replace('package="own"', 'package="hand"'), "hand", "exec"), space)  # noqa: S102
    keras.utils.set_random_seed(0)
    x = keras.Input((4,), name="x")
    dense = keras.layers.Dense(
        6,
        space["bent"],
        kernel_initializer=space["Thirds"](),
        kernel_regularizer=space["Fourth"](0.02),
    )
    y = keras.layers.Dense(1, name="y")(space["Scaled"](1.5, "squared")(dense(x)))
    hand = keras.Model([x], y)
    hand.compile(space["Small"](0.05), space["Quantile"](0.7), metrics=[space["cubed"]])
    told = hand.fit(
        [DATA["x"]], DATA["y"], epochs=3, batch_size=8, shuffle=False, verbose=0
    ).history
    for ours, theirs in (("loss", "loss"), ("cubed", "cubed")):
        values = [line[ours] for line in run.history]
        np.testing.assert_allclose(values, told[theirs], rtol=rounding(200))
    target = modelspec.open_target(run.path, plugins=[plugin])
    outputs = modelspec.predict(target, DATA).arrays["y"]
    np.testing.assert_allclose(outputs, hand.predict([DATA["x"]], verbose=0), rtol=1e-5, atol=1e-7)
    with using(read_plugins([str(plugin)])):
        weights = modelspec.open_target(run.path).model().get_weights()
    for ours, theirs in zip(weights, hand.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_run_keeps_its_plugins_and_needs_them_again(run: Any, plugin: Path) -> None:
    [kept] = run.record["plugins"]
    assert kept["name"] == "parts.py"
    assert (run.path / kept["file"]).read_text() == PARTS
    with pytest.raises(modelspec.PluginError, match=r"--plugin parts\.py"):
        modelspec.open_target(run.path)
    target = modelspec.open_target(run.path, plugins=[plugin])
    scores = modelspec.evaluate(target, DATA)
    assert scores["loss"] > 0
    with pytest.raises(modelspec.PluginError, match=r"--plugin parts\.py"):
        modelspec.load(run.spec_path)


def test_a_changed_plugin_is_told(run: Any, tmp_path: Path) -> None:
    changed = tmp_path / "parts.py"
    changed.write_text(PARTS + "\n# changed\n")
    told: list[str] = []
    modelspec.evaluate(modelspec.open_target(run.path, plugins=[changed]), DATA, say=told.append)
    assert any("differs from the one" in text for text in told)


def test_a_model_file_says_what_it_needs(run: Any, tmp_path: Path) -> None:
    lost = PARTS.replace('package="own"', 'package="lost"')
    (tmp_path / "lost.py").write_text(lost)
    model = modelspec.loads(SPEC, plugins=[tmp_path / "lost.py"]).build()
    model.save(tmp_path / "m.keras")
    registered = keras.saving.get_custom_objects()
    kept = {key: value for key, value in registered.items() if key.startswith("lost>")}
    for key in kept:
        del registered[key]
    # As in a process that has never imported the file.
    for name in [name for name in sys.modules if name.startswith("modelspec_plugin_lost")]:
        del sys.modules[name]
    with pytest.raises(modelspec.ModelError, match="--plugin"):
        modelspec.open_target(tmp_path / "m.keras").model(compiled=False)
    registered.update(kept)
    del run


MISTAKES = [
    ("Scaled: {strat: 1.0}", "unknown-argument", "did you mean start?"),
    ("Scaled: {mode: plain}", "missing-argument", None),
    ("Scaled: {start: much}", "wrong-type", None),
    ("Scaled: {start: 1.0, mode: cubic}", "wrong-value", None),
    ("Scaled: 2.0", "not-an-object", "Scaled: {start: 2.0}"),
    ("Scalde: {start: 1.0}", "unknown-layer", "did you mean Scaled?"),
    ("Dense: {units: 3, activation: bnet}", "unknown-activation", "did you mean bent?"),
    ("Dense: {units: 3, kernel_regularizer: {Fourth: {faktor: 1.0}}}", "unknown-argument", None),
]


@pytest.mark.parametrize(("item", "code", "hint"), MISTAKES)
def test_mistakes_have_their_line(plugin: Path, item: str, code: str, hint: str | None) -> None:
    text = SPEC.replace("Scaled: {start: 1.5, mode: squared}", item)
    [problem] = modelspec.loads(text, plugins=[plugin]).problems
    assert (problem.code, problem.place.span.line) == (code, 11)
    if hint:
        assert problem.hint == hint


BAD = {
    "class Dense(keras.layers.Layer): pass": r":4: Keras has a layer named Dense",
    "def relu(x): return x": r":4: Keras has a activation named relu|:4: Keras has an? ",
    "class Odd: pass": r":4: a spec cannot use Odd",
}


@pytest.mark.parametrize("body", BAD)
def test_names_and_bases_that_cannot_be(body: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(f"import keras\n\n@keras.saving.register_keras_serializable()\n{body}\n")
    with pytest.raises(modelspec.PluginError, match=BAD[body]):
        modelspec.loads(SPEC, plugins=[path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"def (:\n", r"bad\.py:1: it is not Python"),
        (b"\xff\xfe", "not UTF-8"),
        (b"import keras\n", "registers nothing"),
        (None, "no such file"),
    ],
)
def test_files_that_are_no_plugins(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(modelspec.PluginError, match=message):
        modelspec.loads(SPEC, plugins=[path])


def test_parts_are_registered_by_any_name_of_the_decorator(tmp_path: Path) -> None:
    path = tmp_path / "renamed.py"
    path.write_text(
        "import keras\n"
        "from keras.callbacks import Callback as Base\n"
        "from keras.saving import register_keras_serializable as register\n"
        "mine = keras.saving.register_keras_serializable(package='mine')\n"
        "@register()\ndef bent(x):\n    return x * abs(x)\n"
        "@mine\ndef cubed(x):\n    return x**3\n"
        "class Counting(Base):\n    pass\n"
        "class Recounting(Counting):\n    pass\n"
    )
    source = modelspec.loads(
        "modelspec: 1\nname: own\ninputs: {x: {shape: [4]}}\n"
        "layers:\n"
        "  - Dense: {units: 6, activation: bent}\n"
        "  - Dense: {units: 1, activation: cubed}\n"
        "    name: y\n"
        "outputs: y\nlosses: mse\n"
        "training: {callbacks: [Counting, Recounting]}\n",
        plugins=[path],
    )
    assert source.check(fast=True) == []
    assert source.build().count_params() == 37


def test_two_plugins_with_one_name(plugin: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(PARTS)
    with pytest.raises(modelspec.PluginError, match=r"registered by parts\.py too"):
        modelspec.loads(SPEC, plugins=[plugin, other])


def test_text_is_read_and_code_run_only_to_build(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = tmp_path / "loud.py"
    path.write_text(PARTS + f"\nopen({str(mark)!r}, 'w').close()\nraise ValueError('no')\n")
    spec = modelspec.loads(SPEC, plugins=[path])
    assert spec.check(fast=True) == []
    assert not mark.exists()
    with pytest.raises(modelspec.PluginError, match=r"loud\.py:\d+: ValueError: no"):
        spec.build()
    assert mark.exists()
    target = Target(spec)
    for use in (spec.account, lambda: estimate(target), lambda: time_epoch(spec, {})):
        with pytest.raises(modelspec.PluginError, match="ValueError: no"):
            use()


def test_a_module_is_found_without_importing_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "ownpackage"
    package.mkdir()
    (package / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    (package / "inner.py").write_text(PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    spec = modelspec.loads(SPEC, plugins=["ownpackage.inner"])
    assert not spec.problems
    assert not (tmp_path / "ran").exists()
    assert spec.build().count_params() == 4 * 6 + 6 + 1 + 6 + 1


ENDPOINT = """
modelspec: 1
name: endpoint
inputs: {x: {shape: [4]}, truth: {shape: [1]}}
layers:
  - {Dense: {units: 3, activation: tanh}, from: x}
  - Dense: {units: 1}
    name: guess
  - Endpoint:
    from: {prediction: guess, truth: truth}
    name: y
outputs: y
training: {epochs: EPOCHS, batch_size: 8, seed: 3}
"""


def test_a_loss_that_layers_add_is_all_there_is_and_is_resumed(
    plugin: Path, tmp_path: Path
) -> None:
    data = {"x": DATA["x"], "truth": DATA["y"]}
    texts = {count: ENDPOINT.replace("EPOCHS", str(count)) for count in (2, 4)}
    specs = {count: modelspec.loads(text, plugins=[plugin]) for count, text in texts.items()}
    assert specs[4].check(data) == []
    whole = modelspec.train(specs[4], data, run=tmp_path / "whole")
    modelspec.train(specs[2], data, run=tmp_path / "parts")
    parts = modelspec.train(specs[4], data, run=tmp_path / "parts", resume=True)
    for one, two in zip(whole.history, parts.history, strict=True):
        assert one["loss"] == two["loss"]
        assert one["loss"] == pytest.approx(one["distance"], rel=1e-5)
    assert whole.history[-1]["loss"] < whole.history[0]["loss"]
    scores = modelspec.evaluate(modelspec.open_target(whole.path, plugins=[plugin]), data)
    assert scores["loss"] == pytest.approx(scores["distance"], rel=1e-5)


def _block(language: str, word: str) -> str:
    """The block of the README that has a word."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    [block] = [block for block in blocks if word in block]
    return str(block)


def test_a_loss_of_several_outputs_as_the_readme_has_it(tmp_path: Path) -> None:
    code = "import keras\n\n\n" + _block("python", "SpanLoss")
    (tmp_path / "span.py").write_text(code)
    text = "modelspec: 1\n" + _block("yaml", "SpanLoss")
    text += "optimizer: {SGD: {learning_rate: 0.05}}\n"
    text += "training: {epochs: 3, batch_size: 8, shuffle: false}\n"
    truth = {"true_start": DATA["y"], "true_end": DATA["y"] + 1}
    data = {"x": DATA["x"], **truth}
    spec = modelspec.loads(text, plugins=[tmp_path / "span.py"])
    assert spec.check(data) == []
    run = modelspec.train(spec, data, run=tmp_path / "run")

    space: dict[str, Any] = {"__name__": "by_hand"}
    exec(compile(code.replace("serializable()", 'serializable("hand")'), "hand", "exec"), space)  # noqa: S102
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((4,), name="x"), *(keras.Input((1,), name=name) for name in truth)]
    start, end = (keras.layers.Dense(1, name=name)(inputs[0]) for name in ("start", "end"))
    hand = keras.Model(inputs, [space["SpanLoss"]()(start, end, *inputs[1:]), end])
    hand.compile(keras.optimizers.SGD(0.05))
    told = hand.fit([*data.values()], epochs=3, batch_size=8, shuffle=False, verbose=0).history
    np.testing.assert_allclose([line["loss"] for line in run.history], told["loss"], rtol=1e-5)
    target = modelspec.open_target(run.path, plugins=[tmp_path / "span.py"])
    zeros = {name: np.zeros_like(values) for name, values in truth.items()}
    made = modelspec.predict(target, {"x": DATA["x"], **zeros}).arrays
    for ours, theirs in zip(
        (made["start"], made["end"]), hand.predict([*data.values()], verbose=0), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


PENALIZED = """
modelspec: 1
name: penalized
inputs: {x: {shape: [4]}}
layers:
  - {Dense: {units: 3, activation: tanh}, name: shared}
  - {Penalty: , name: penalty}
  - {Dense: {units: 1}, name: a}
  - {Dense: {units: 1}, name: b, from: penalty}
outputs: [a, b]
losses: [mse, mae]
loss_weights: WEIGHTS
training: {epochs: EPOCHS, batch_size: 40, seed: 3, jit: false}
"""


@pytest.mark.parametrize(
    "strategy",
    [
        "gradnorm",
        pytest.param("equal_contribution", marks=pytest.mark.sweep),
        pytest.param("uncertainty", marks=pytest.mark.sweep),
    ],
)
def test_strategies_weigh_heads_and_not_what_layers_add(
    strategy: str, plugin: Path, tmp_path: Path
) -> None:
    data = {"x": DATA["x"], "a": 3 * DATA["y"], "b": DATA["y"] + 1}

    def trained(weights: str, epochs: int, name: str, **more: Any) -> Any:
        text = PENALIZED.replace("WEIGHTS", weights).replace("EPOCHS", str(epochs))
        spec = modelspec.loads(text, plugins=[plugin])
        return modelspec.train(spec, data, run=tmp_path / name, **more)

    [plain] = trained("[1.0, 1.0]", 1, "plain").history
    whole = trained(strategy, 3, "whole").history
    penalty = plain["loss"] - plain["a_loss"] - plain["b_loss"]
    assert penalty > 0.01
    weighted = sum(whole[0][f"{name}_weight"] * whole[0][f"{name}_loss"] for name in "ab")
    if strategy == "equal_contribution":
        assert whole[0]["loss"] == pytest.approx(weighted + penalty, rel=1e-5)
    trained(strategy, 1, "parts")
    parts = trained(strategy, 3, "parts", resume=True).history
    assert [{**line, "seconds": 0} for line in parts] == [{**line, "seconds": 0} for line in whole]


def test_balance_leaves_what_layers_add_out(plugin: Path) -> None:
    data = {"x": DATA["x"], "a": 3 * DATA["y"], "b": DATA["y"] + 1}
    text = PENALIZED.replace("WEIGHTS", "[1.0, 1.0]").replace("EPOCHS", "1")
    measured = measure(modelspec.loads(text, plugins=[plugin]), data, batches=2)
    free = text.replace("Penalty: ", "Identity: ")
    assert measured.start.losses == pytest.approx(
        measure(modelspec.loads(free), data, batches=2).start.losses, rel=1e-5
    )


def test_a_loss_that_uses_no_targets_needs_none(plugin: Path, tmp_path: Path) -> None:
    text = SPEC.replace("{Quantile: {share: 0.7}}", "nearness").replace("metrics: cubed\n", "")
    spec = modelspec.loads(text, plugins=[plugin])
    assert spec.check({"x": DATA["x"]}) == []
    run = modelspec.train(spec, {"x": DATA["x"]}, run=tmp_path / "run")
    assert run.history[-1]["loss"] < run.history[0]["loss"]
    # A loss that uses its targets still asks for them.
    codes = [p.code for p in modelspec.loads(SPEC, plugins=[plugin]).check({"x": DATA["x"]})]
    assert "missing-array" in codes


HOSTILE = "import keras\nopen(MARK, 'w').close()\n" + PARTS


def test_a_spec_cannot_name_a_plugin(tmp_path: Path) -> None:
    evil = tmp_path / "evil.py"
    evil.write_text(HOSTILE.replace("MARK", repr(str(tmp_path / "ran"))))
    for key in ("plugin", "plugins"):
        problems = modelspec.loads(SPEC + f"{key}: [{evil}]\n").problems
        assert "unknown-key" in [problem.code for problem in problems]
    for name in (str(evil), "evil.Scaled", f"{evil}:Scaled", "own>Scaled"):
        text = yaml.safe_dump(
            {**yaml.safe_load(SPEC), "layers": [{name: {"start": 1.0}, "name": "y"}]}
        )
        problems = modelspec.loads(text).problems
        assert "unknown-layer" in [problem.code for problem in problems]
    assert not (tmp_path / "ran").exists()


def test_a_data_file_cannot_name_a_plugin(tmp_path: Path) -> None:
    evil = tmp_path / "evil.py"
    evil.write_text(HOSTILE.replace("MARK", repr(str(tmp_path / "ran"))))
    np.savez(tmp_path / "d.npz", x=DATA["x"], y=DATA["y"], plugin=str(evil), plugins=[str(evil)])
    spec = modelspec.loads(
        "modelspec: 1\ninputs: {x: {shape: [4]}}\nlayers:\n  - {Dense: {units: 1}, name: y}\n"
        "outputs: y\nlosses: mse\n"
    )
    assert {problem.code for problem in spec.check(tmp_path / "d.npz")} == {"unknown-array"}
    assert not (tmp_path / "ran").exists()


def test_the_folder_of_a_run_cannot_bring_code(run: Any, plugin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(run.path, folder)
    evil = HOSTILE.replace("MARK", repr(str(tmp_path / "ran")))
    for place in (folder / "plugins" / "parts.py", folder / "parts.py", folder / "keras.py"):
        place.write_text(evil)
    record = json.loads((folder / "run.json").read_text())
    record["plugins"][0]["file"] = str(folder / "plugins" / "parts.py")
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(modelspec.PluginError):
        modelspec.open_target(folder)
    modelspec.evaluate(modelspec.open_target(folder, plugins=[plugin]), DATA)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("module", ["evil", "evil.inner", "os", None])
def test_a_model_file_cannot_bring_code(
    module: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil.py").write_text(HOSTILE.replace("MARK", repr(str(tmp_path / "ran"))))
    monkeypatch.syspath_prepend(tmp_path)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="d")])
    model.save(tmp_path / "plain.keras")
    with zipfile.ZipFile(tmp_path / "plain.keras") as source:
        files = {name: source.read(name) for name in source.namelist()}
    config = json.loads(files["config.json"])
    layer = config["config"]["layers"][1]
    layer.update(module=module, class_name="Scaled", registered_name="evil>Scaled")
    layer["config"] = {"start": 1.0}
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as changed:
        for name, content in files.items():
            changed.writestr(name, content)
    with pytest.raises(modelspec.ModelError):
        modelspec.open_target(tmp_path / "m.keras").model(compiled=False)
    assert not (tmp_path / "ran").exists()


def test_commands_take_the_option_or_the_variable(plugin: Path, tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text(SPEC)
    runner = CliRunner()
    option = ["--plugin", str(plugin)]
    with using(()):
        assert runner.invoke(command, ["check", "--fast", str(spec)]).exit_code == 1
        assert runner.invoke(command, ["check", "--fast", str(spec), *option]).exit_code == 0
        env = {"MODELSPEC_PLUGINS": str(plugin)}
        assert runner.invoke(command, ["check", "--fast", str(spec)], env=env).exit_code == 0
        assert runner.invoke(command, ["check", "--fast", str(spec), *option]).exit_code == 0
        schema = language_schema(load_catalog())
    assert "layer.Scaled" in schema["definitions"]


@pytest.mark.process
def test_help_on_an_own_part(plugin: Path) -> None:
    options = ["layers", "Scaled", "--plugin", str(plugin)]
    done = subprocess.run(
        [sys.executable, "-m", "modelspec", *options],
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "Multiply by a learned number" in done.stdout
    assert "The number at the beginning" in done.stdout


def test_the_catalogue_has_the_families(plugin: Path) -> None:
    with using(read_plugins([str(plugin)])):
        offered = load_catalog()
    expected = {
        "layer": ["Scaled", "Endpoint", "Penalty"],
        "loss": ["Quantile", "cubed", "nearness"],
        "metric": ["cubed"],
        "activation": ["bent"],
        "regularizer": ["Fourth"],
        "initializer": ["Thirds"],
        "optimizer": ["Small"],
        "callback": ["Counting"],
    }
    for family, names in expected.items():
        for name in names:
            entry = offered.find(family, name)  # type: ignore[arg-type]
            assert entry is not None, name
            assert entry.plugin == "parts.py"
    small = offered.find("optimizer", "Small")
    assert small is not None
    assert "momentum" in small.arguments
    assert load_catalog().find("layer", "Scaled") is None


def test_the_shipped_plugin_is_short() -> None:
    code = SHIPPED.read_text(encoding="utf-8").split("import keras")[1].splitlines()
    assert len([line for line in code if line.strip()]) <= 26

"""Runs with fitted layers, models from files and plugins, whose files somebody changed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tampered_runs import wrong_answers
from tampering import Tamper

pytestmark = [pytest.mark.keras, pytest.mark.process, pytest.mark.sweep]

PLUGIN = '''
"""A layer of the user's own."""
import keras


@keras.saving.register_keras_serializable(package="own")
class Twice(keras.layers.Layer):
    """Double the values."""

    def call(self, inputs):
        return 2 * inputs
'''
TRUNK = """
modelspec: 1
inputs: {t: {shape: [4]}}
layers:
  - Dense: {units: 3}
    name: features
outputs: features
losses: mse
"""
SPEC = """
modelspec: 1
inputs: {x: {shape: [4]}, word: {shape: [1], dtype: string}}
models: {trunk: {path: trunk.keras}}
layers:
  - Normalization: {axis: -1}
    adapt: true
    name: scaled
    from: x
  - trunk
  - Twice:
    name: twice
  - StringLookup: {output_mode: one_hot, max_tokens: 6, pad_to_max_tokens: true}
    adapt: true
    name: words
    from: word
  - Concatenate:
    from: [twice, words]
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 2, batch_size: 8}
"""

VERBS = {
    "resume": "train spec.yaml --data d.npz --run run --resume --epochs 3 --quiet",
    "evaluate": "evaluate run --data d.npz",
    "predict": "predict run --data d.npz -o run/p.npz",
    "summary": "summary run",
    "plot": "plot run",
    "report": "report run --data d.npz",
    "diff": "diff run spec.yaml",
}


def _run(folder: Path, command: str) -> None:
    subprocess.run([sys.executable, "-m", "modelspec", *command.split()], cwd=folder, check=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, and what it was trained with."""
    folder = tmp_path_factory.mktemp("base")
    random = np.random.default_rng(0)
    x = random.normal(3, 2, size=(40, 4)).astype("f")
    words = random.choice(["red", "green", "blue"], (40, 1))
    np.savez(folder / "d.npz", x=x, word=words, y=x[:, :1])
    (folder / "own.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "trunk.yaml").write_text(TRUNK, encoding="utf-8")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    _run(folder, "build trunk.yaml -o trunk.keras")
    _run(folder, "train spec.yaml --data d.npz --plugin own.py --run run --quiet")
    return folder


def _fitted(change: Callable[[dict[str, Any]], Any]) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        del victim
        with np.load(run / "fitted.npz") as stored:
            arrays = dict(stored)
        change(arrays)
        np.savez(run / "fitted.npz", **arrays)

    return tamper


def _kept(change: Callable[[dict[str, Any]], Any]) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        del victim
        path = run / "models" / "trunk.json"
        kept = json.loads(path.read_text(encoding="utf-8"))
        change(kept)
        path.write_text(json.dumps(kept), encoding="utf-8")

    return tamper


def _layers(kept: dict[str, Any]) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = kept["config"]["config"]["layers"]
    return layers


def _write(name: str, text: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        path = run / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("VICTIM", str(victim)), encoding="utf-8")

    return tamper


def _gone(*names: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        del victim
        for name in names:
            (run / name).unlink()

    return tamper


def _link(name: str, target: str) -> Tamper:
    def tamper(run: Path, victim: Path) -> None:
        (run / name).unlink()
        (run / name).symlink_to(victim / target)

    return tamper


def _both(*ways: Tamper) -> Tamper:
    """Without the model, a checkpoint and the other files are read."""

    def tamper(run: Path, victim: Path) -> None:
        (run / "model.keras").unlink(missing_ok=True)
        for way in ways:
            way(run, victim)

    return tamper


_OBJECT = np.array([{"x": 1}], dtype=object)
_FILES: dict[str, Tamper] = {
    "fitted values as a pickle": _fitted(lambda arrays: arrays.update({"scaled/0": _OBJECT})),
    "fitted values as text": _fitted(lambda arrays: arrays.update({"scaled/0": np.array(["x"])})),
    "fitted values too wide": _fitted(lambda arrays: arrays.update({"scaled/0": np.zeros(40)})),
    "fitted values that are not finite": _fitted(
        lambda arrays: arrays.update({"scaled/0": np.full(4, np.nan)})
    ),
    "fitted values that lack": _fitted(lambda arrays: arrays.pop("scaled/1")),
    "no fitted values": _fitted(lambda arrays: arrays.clear()),
    "a vocabulary of numbers": _fitted(
        lambda arrays: arrays.update({"words/vocabulary": np.frombuffer(b"[1, 2]", np.uint8)})
    ),
    "a vocabulary that is no list": _fitted(
        lambda arrays: arrays.update({"words/vocabulary": np.frombuffer(b'"/etc"', np.uint8)})
    ),
    "a vocabulary that is a path": _fitted(
        lambda arrays: arrays.update({"words/vocabulary": np.frombuffer(b'["/x", "/x"]', np.uint8)})
    ),
    "a longer vocabulary": _fitted(
        lambda arrays: arrays.update(
            {"words/vocabulary": np.frombuffer(json.dumps([*"abcdefgh"]).encode(), np.uint8)}
        )
    ),
    "fitted values that are no file of arrays": _write("fitted.npz", "x"),
    "fitted values that are gone": _gone("fitted.npz"),
    "a link for fitted values": _link("fitted.npz", "precious"),
}
_MODELS: dict[str, Tamper] = {
    "a kept model of os": _kept(
        lambda kept: _layers(kept)[-1].update(module="os", class_name="remove")
    ),
    "a kept model of a decoy": _kept(
        lambda kept: _layers(kept)[-1].update(module="dense", class_name="main")
    ),
    "a kept Lambda": _kept(lambda kept: _layers(kept)[-1].update(class_name="Lambda")),
    "a kept model that is wide": _kept(
        lambda kept: _layers(kept)[-1]["config"].update(units=10**12)
    ),
    "a kept model with other units": _kept(
        lambda kept: _layers(kept)[-1]["config"].update(units=30)
    ),
    "a kept model without layers": _kept(lambda kept: kept["config"]["config"].update(layers=[])),
    "a kept model that is large": _kept(lambda kept: kept.update(elements=10**30)),
    "a kept model below 0": _kept(lambda kept: kept.update(elements=-1)),
    "a kept model with another hash": _kept(lambda kept: kept.update(sha256="x")),
    "a kept model that is a list": _write("models/trunk.json", "[]"),
    "a kept model that is deep": _write("models/trunk.json", '{"config": ' * 100_000),
    "a kept model that is gone": _gone("models/trunk.json"),
    "a link for a kept model": _link("models/trunk.json", "precious"),
}
_PLUGINS: dict[str, Tamper] = {
    "another plugin": _write("plugins/own.py", "open('VICTIM/ran', 'w').close()"),
    "one more plugin": _write("plugins/more.py", "open('VICTIM/ran', 'w').close()"),
    "a link for a plugin": _link("plugins/own.py", "precious"),
}
WAYS = {**_FILES, **_MODELS, **_PLUGINS}
WAYS |= {f"{name}, without a model": _both(way) for name, way in WAYS.items()}


@pytest.mark.parametrize("verb", VERBS)
def test_parts_of_a_run_do_no_harm(base: Path, tmp_path: Path, verb: str) -> None:
    command = f"{VERBS[verb]} --plugin own.py"
    wrong = wrong_answers(base, tmp_path / "tree", {command: WAYS}, must_refuse=False)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_fitted_values_are_compared(base: Path, tmp_path: Path, verb: str) -> None:
    """A checkpoint needs the fitted values beside it."""
    ways = {name: _both(way) for name, way in _FILES.items()}
    command = f"{VERBS[verb]} --plugin own.py"
    wrong = wrong_answers(base, tmp_path / "tree", {command: ways})
    assert not wrong, "\n".join(wrong)

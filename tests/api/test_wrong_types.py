"""The functions of the package with paths in place of opened models, and with wrong types."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelspec

SPEC = """\
modelspec: 1
inputs: {x: {shape: [2]}}
layers:
  - {Dense: {units: 1}, name: y}
outputs: y
losses: mse
"""
KERAS = pytest.mark.keras
DATA = {"x": np.zeros((4, 2)), "y": np.zeros((4, 1))}

load: Any = modelspec.load
loads: Any = modelspec.loads
open_target: Any = modelspec.open_target


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "spec.yaml"
    written.write_text(SPEC)
    return written


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: loads(SPEC, "training.epochs=2"), "overrides are a list"),
        (lambda: loads(SPEC, {"training.epochs": 2}), "overrides are a list"),
        (lambda: loads(SPEC).with_training(epoch=2), "training has no setting epoch"),
        pytest.param(lambda: loads(SPEC).check(3), "data is a path, .* not int", marks=KERAS),
        pytest.param(
            lambda: loads(SPEC).check(np.zeros(3)), "data is a path, .* not ndarray", marks=KERAS
        ),
        pytest.param(lambda: loads(SPEC).check([DATA]), "data is a path, .* not list", marks=KERAS),
        (lambda: modelspec.train(loads(SPEC), None), "data is a path, .* not NoneType"),  # type: ignore[arg-type]
        (lambda: modelspec.train({"modelspec": 1}, DATA), "a spec is a path .* not dict"),  # type: ignore[arg-type]
        (lambda: modelspec.to_python(None), "a spec is a path .* not NoneType"),  # type: ignore[arg-type]
        (lambda: modelspec.evaluate(None, DATA), "a model is a path, .* not NoneType"),  # type: ignore[arg-type]
        (lambda: modelspec.predict(3, DATA), "a model is a path, .* not int"),  # type: ignore[arg-type]
        (lambda: modelspec.plot({}), "a model is a path, .* not dict"),  # type: ignore[arg-type]
        (lambda: modelspec.export([], "onnx"), "a model is a path, .* not list"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_type_is_told(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call()


def test_an_unknown_format_is_told() -> None:
    with pytest.raises(ValueError, match="form is one of saved_model, onnx, litert, not tflite"):
        modelspec.export(loads(SPEC), "tflite")  # type: ignore[arg-type]


@pytest.mark.keras
def test_a_path_a_spec_and_a_target_are_one_model(path: Path, tmp_path: Path) -> None:
    spec, target = modelspec.load(path), modelspec.open_target(path)
    scores = [modelspec.evaluate(model, DATA)["loss"] for model in (path, str(path), spec, target)]
    assert len(set(scores)) == 1
    drawn = {modelspec.plot(model) for model in (path, spec, target)}
    assert len(drawn) == 1
    assert modelspec.to_python(path) == modelspec.to_python(spec)
    run = modelspec.train(path, DATA, run=tmp_path / "run")
    one, other = (modelspec.predict(model, DATA).arrays["y"] for model in (run, run.path))
    assert np.array_equal(one, other)

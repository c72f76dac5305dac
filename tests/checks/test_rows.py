"""Unusable values, named by their row, and by their file if there are several."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelspec

SPEC = """
modelspec: 1
inputs: {x: {shape: [4], dtype: DTYPE}}
layers:
  - Dense: {units: 1}
    name: y
outputs: y
losses: LOSS
"""
TEXT = """
modelspec: 1
inputs: {x: {shape: [], dtype: string}}
layers:
  - StringLookup: {vocabulary: [a, b]}
    name: y
outputs: y
"""
STEPS = """
modelspec: 1
inputs: {x: {shape: [null, 2]}}
layers:
  - LSTM: {units: 2}
    name: y
outputs: y
losses: mse
"""


def check(
    spec: str, data: Any, *, dtype: str = "float32", loss: str = "mse"
) -> list[tuple[str, str, str]]:
    source = modelspec.loads(spec.replace("DTYPE", dtype).replace("LOSS", loss))
    return [(problem.severity, problem.code, problem.message) for problem in source.check(data)]


def rows(shape: tuple[int, ...], row: int, value: float, dtype: str = "f8") -> Any:
    array = np.ones(shape, dtype)
    array[row] = value
    return array


@pytest.mark.keras
@pytest.mark.parametrize(
    ("dtype", "value", "stored"),
    [
        ("float32", 1e39, "f8"),
        ("float32", -4e38, "f8"),
        ("float16", 1e5, "f4"),
        ("float16", -65536, "i4"),
        ("bfloat16", 3.4e38, "f4"),
    ],
)
def test_inputs_beyond_their_dtype(dtype: str, value: float, stored: str) -> None:
    data = {"x": rows((9, 4), 7, value, stored), "y": np.ones((9, 1))}
    [(severity, code, message)] = check(SPEC, data, dtype=dtype)
    assert (severity, code) == ("error", "value-out-of-range")
    assert dtype in message
    assert "first in row 7" in message


@pytest.mark.keras
@pytest.mark.parametrize("value", [65504.0, -65504.0])
def test_the_largest_values_are_no_problem(value: float) -> None:
    data = {"x": rows((9, 4), 7, value), "y": np.ones((9, 1))}
    told = check(SPEC, data, dtype="float16")
    assert [(severity, code) for severity, code, _ in told] == [("warning", "input-scale")]


@pytest.mark.keras
@pytest.mark.parametrize("name", ["y", "y_weight"])
def test_targets_and_weights_beyond_float32(name: str) -> None:
    data = {"x": np.ones((9, 4)), "y": np.ones((9, 1)), name: rows((9, 1), 3, 1e39)}
    [(_, code, message)] = check(SPEC, data)
    assert code == "value-out-of-range"
    assert f"array {name}" in message
    assert "first in row 3" in message


@pytest.mark.keras
@pytest.mark.parametrize("loss", ["mse", "poisson", "mae", "huber"])
def test_targets_whose_losses_overflow(loss: str) -> None:
    data = {"x": np.ones((9, 4)), "y": rows((9, 1), 5, 2e37)}
    messages = {code: message for _, code, message in check(SPEC, data, loss=loss)}
    assert "first in row 5" in messages["value-out-of-range"]


@pytest.mark.keras
@pytest.mark.parametrize("surrogate", ["\ud800", "a\udfff", "x\udc80y"])
def test_text_that_is_not_unicode(surrogate: str) -> None:
    text = np.array(["a", "b", "\ud7ff", "\ue000", "b", "a"])
    assert check(TEXT, {"x": text, "y": np.zeros(len(text))}) == []
    text = np.array(["a", "b", "a", surrogate])
    [(_, code, message)] = check(TEXT, {"x": text, "y": np.zeros(len(text))})
    assert code == "wrong-dtype"
    assert "first in row 3" in message


@pytest.mark.keras
def test_sequences_without_a_step() -> None:
    [(_, code, message)] = check(STEPS, {"x": np.ones((4, 0, 2)), "y": np.ones((4, 2))})
    assert code == "wrong-shape"
    assert "[0, 2]" in message


@pytest.mark.keras
def test_one_axis_more_is_told() -> None:
    plain = {"x": np.ones((4, 4)), "y": np.ones((4, 1))}
    assert check(SPEC, plain) == []
    assert check(SPEC, {**plain, "y": np.ones(4)}) == []
    for name, shape in (("x", (4, 4, 1)), ("y", (4, 1, 1))):
        [(severity, code, message)] = check(SPEC, {**plain, name: np.ones(shape)})
        assert (severity, code) == ("warning", "wrong-shape")
        assert "one axis more" in message


@pytest.mark.keras
@pytest.mark.parametrize(
    ("loss", "name", "value"),
    [
        ("mse", "x", np.nan),
        ("mse", "x", 1e39),
        ("binary_crossentropy", "y", 2.0),
        ("mse", "y", np.inf),
        ("mse", "y_weight", -1.0),
    ],
)
def test_rows_of_several_files_are_named_by_their_file(
    loss: str, name: str, value: float, tmp_path: Path
) -> None:
    sound: dict[str, Any] = {"x": np.ones((5, 4)), "y": np.ones((5, 1)), "y_weight": np.ones(5)}
    wrong = sound[name].copy()
    wrong[2] = value
    np.savez(tmp_path / "a.npz", **sound)
    np.savez(tmp_path / "b.npz", **{**sound, name: wrong})
    problems = check(SPEC, [tmp_path / "a.npz", tmp_path / "b.npz"], loss=loss)
    [message] = [message for severity, _, message in problems if severity == "error"]
    assert f"first in row 2 of {tmp_path / 'b.npz'}" in message

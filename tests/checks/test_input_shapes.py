"""Inputs whose shape the data refutes: one mistake, one message."""

from pathlib import Path

import numpy as np
import pytest

import modelspec

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("shape", ["null, 4, 4", "32, 4, 4", "64, 4, 4"])
def test_a_batch_in_a_shape_is_one_problem(shape: str, tmp_path: Path) -> None:
    """Layers that follow have other shapes too: that is the same mistake."""
    text = (
        f"modelspec: 1\ninputs: {{x: {{shape: [{shape}]}}}}\nlayers:\n  - Flatten\n"
        "  - Dense: {units: 1}\n    name: y\noutputs: y\nlosses: mse\n"
    )
    np.savez(tmp_path / "d.npz", x=np.zeros((64, 4, 4)), y=np.zeros(64))
    [problem] = modelspec.loads(text).check(tmp_path / "d.npz")
    assert problem.code == "wrong-shape"
    assert str(problem.hint).startswith("leave the batch out: shape: [4, 4]")
    assert ("x[None]" in str(problem.hint)) == (shape[:2] == "64")


def test_shapes_of_other_inputs_are_still_told(tmp_path: Path) -> None:
    text = (
        "modelspec: 1\ninputs: {x: {shape: [5]}, z: {shape: [3]}}\nlayers:\n"
        "  - Dense: {units: 1}\n    name: y\n    from: x\n"
        "  - LSTM: {units: 1}\n    name: l\n    from: z\noutputs: [y, l]\nlosses: {y: mse, l: mse}"
    )
    np.savez(
        tmp_path / "d.npz", x=np.zeros((6, 4)), z=np.zeros((6, 3)), y=np.zeros(6), l=np.zeros(6)
    )
    codes = [problem.code for problem in modelspec.loads(text).check(tmp_path / "d.npz")]
    assert sorted(codes) == ["shape-mismatch", "wrong-shape"]

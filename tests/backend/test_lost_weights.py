"""Training that loses its weights ends with an error, also where the loss stays finite."""

from pathlib import Path

import numpy as np
import pytest

import modelspec
from modelspec.backend.training import loop
from modelspec.problems.errors import ModelError

pytestmark = pytest.mark.keras

TEXT = """\
modelspec: 1
inputs: {x: {shape: [3]}}
layers:
  - Dense: {units: 4, activation: relu}
    name: hidden
  - ops.sqrt
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 1, jit: false, batch_size: 16}
"""


@pytest.mark.parametrize("shortest", [0.0, float("inf")])
def test_weights_that_are_nan_end_a_run_with_a_finite_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shortest: float
) -> None:
    monkeypatch.setattr(loop, "_LONG_EPOCH", shortest)
    random = np.random.default_rng(0)
    data = {"x": random.normal(size=(16, 3)), "y": random.normal(size=(16, 1))}
    with pytest.raises(ModelError, match=r":4: layer hidden: .*not finite after epoch 1"):
        modelspec.train(modelspec.loads(TEXT), data, run=tmp_path / "run")
    run = modelspec.Run(tmp_path / "run")
    assert run.status == "failed"
    assert not run.model_path.exists()

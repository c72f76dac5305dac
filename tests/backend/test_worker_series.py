"""Shipped specs and random models, by several workers and on several devices, against one process.

The long form of ``test_workers``: all of it belongs to the sweep.
"""

from pathlib import Path

import numpy as np
import pytest
from worker_runs import distance, history, run, train
from worker_series import LAUNCHES, LAYERS_WITH_DATA, SHIPPED, wrong_cases

from modelspec.backend.logical_cpus import LOGICAL_CPUS

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.sweep]

ROOT = Path(__file__).parents[2]
NAMES = [*SHIPPED, *LAYERS_WITH_DATA, *(f"random {seed}" for seed in range(20))]
FROZEN = """\
modelspec: 1
inputs: {image: {shape: [8, 8]}}
layers:
  - Flatten
  - Dense: {units: 12, activation: relu}
    trainable: false
  - Dense: {units: 10, activation: softmax}
    name: digit
outputs: digit
losses: sparse_categorical_crossentropy
training: {epochs: 2, batch_size: 50, precompute: true}
"""

TRUNK = """\
modelspec: 1
inputs: {image: {shape: [8, 8, 1]}}
layers:
  - Conv2D: {filters: 4, kernel_size: 3, activation: relu}
  - GlobalAveragePooling2D
  - Dense: {units: 6, activation: relu}
    name: features
  - Dense: {units: 3}
    name: y
outputs: y
losses: mse
"""
OF_MODELS = """\
modelspec: 1
inputs: {image: {shape: [8, 8, 1]}, photo: {shape: [32, 32, 3]}}
models: {trunk: {path: trunk.keras, until: features}}
layers:
  - trunk:
    name: left
    from: image
  - MobileNetV2:
      {input_shape: [32, 32, 3], alpha: 0.35, include_top: false, pooling: avg, weights: null}
    name: right
    from: photo
    trainable: false
  - Concatenate:
    from: [left, right]
  - Dropout: {rate: 0.3}
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
optimizer: {SGD: {learning_rate: 0.05, momentum: 0.9}}
training:
  epochs: 6
  batch_size: 16
  validation_split: 0.2
  learning_rates: {left: 0.1}
  callbacks:
    - EarlyStopping: {monitor: val_loss, patience: 1, min_delta: 10.0}
    - ReduceLROnPlateau: {patience: 1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of every launch, each made once."""
    return tmp_path_factory.mktemp("launches")


@pytest.mark.parametrize("kind", LAUNCHES)
def test_the_numbers_of_one_process(folder: Path, kind: str) -> None:
    assert not wrong_cases(kind, folder, NAMES)


@pytest.mark.parametrize("sharing", ["--workers", "--devices"])
def test_nothing_is_computed_ahead(tmp_path: Path, sharing: str) -> None:
    data, spec = ROOT / "data" / "digits.npz", tmp_path / "spec.yaml"
    spec.write_text(FROZEN)
    one, several = tmp_path / "one", tmp_path / "several"
    assert train(spec, data, one, "--set", "training.precompute=false").returncode == 0
    environment = {"MODELSPEC_LOGICAL_CPUS": "2"}
    ran = train(spec, data, several, sharing, "2", environment=environment)
    assert ran.returncode == 0, ran.stderr
    assert "training.precompute: true changes nothing with several" in ran.stderr
    for ours, theirs in zip(history(several), history(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)


def test_layers_of_plugins_are_told(tmp_path: Path) -> None:
    data, spec = ROOT / "data" / "digits.npz", ROOT / "specs" / "plugins" / "digits_vae.yaml"
    plugin = ("--plugin", str(spec.with_name("variational.py")), "--epochs", "2")
    one, several = tmp_path / "one", tmp_path / "several"
    assert train(spec, data, one, *plugin).returncode == 0
    ran = train(spec, data, several, *plugin, "--workers", "2")
    assert ran.returncode == 0, ran.stderr
    assert "layers of plugins must compute each sample by itself" in ran.stderr
    for ours, theirs in zip(history(several), history(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("sharing", ["--workers", "--devices"])
def test_models_as_layers_and_callbacks(tmp_path: Path, sharing: str) -> None:
    random = np.random.default_rng(0)
    image, photo = (random.random((50, *shape), "f") for shape in ((8, 8, 1), (32, 32, 3)))
    np.savez(tmp_path / "data.npz", image=image, photo=photo, y=image.mean((1, 2)))
    for name, text in (("trunk", TRUNK), ("spec", OF_MODELS)):
        (tmp_path / f"{name}.yaml").write_text(text)
    words = ["build", str(tmp_path / "trunk.yaml"), "-o", str(tmp_path / "trunk.keras")]
    assert run(words).returncode == 0
    spec, data, one, several = (tmp_path / n for n in ("spec.yaml", "data.npz", "one", "several"))
    assert train(spec, data, one).returncode == 0
    environment = {LOGICAL_CPUS: "2"}
    ran = train(spec, data, several, sharing, "2", environment=environment)
    assert ran.returncode == 0, ran.stderr
    assert len(history(several)) == 2  # stopped early, at the same epoch
    for ours, theirs in zip(history(several), history(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    assert distance(one, several) < 1e-5

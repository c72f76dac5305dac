"""Shipped specs and random models, by several workers and on several devices, against one process.

The long form of ``test_workers``: all of it belongs to the sweep.
"""

from pathlib import Path

import pytest
from worker_runs import history, train
from worker_series import LAUNCHES, LAYERS_WITH_DATA, SHIPPED, wrong_cases

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

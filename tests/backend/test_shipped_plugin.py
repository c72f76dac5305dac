"""The variational autoencoder with its plugin: no warnings, its losses add up, and it learns."""

from pathlib import Path

import pytest

import modelspec

pytestmark = pytest.mark.keras

ROOT = Path(__file__).parents[2]
PLUGINS = [ROOT / "specs" / "plugins" / "variational.py"]
DATA = ROOT / "data" / "digits.npz"


def test_it_learns_and_its_losses_add_up(tmp_path: Path) -> None:
    path = ROOT / "specs" / "plugins" / "digits_vae.yaml"
    spec = modelspec.load(path, ["training.epochs=3"], plugins=PLUGINS)
    assert spec.check(DATA) == []
    history = modelspec.train(spec, DATA, run=tmp_path / "run").history
    assert history[-1]["loss"] < history[0]["loss"]
    for line in history:
        parts = line["picture_loss"] + line["digit_loss"] + 0.02 * line["divergence"]
        assert line["loss"] == pytest.approx(parts, rel=1e-2)  # Keras counts a short batch as whole

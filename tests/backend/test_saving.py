"""Models from ``.keras`` files: layers that are larger than the file are refused in time."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import pytest

from modelspec.backend.model.saving import read_model, write_model

pytestmark = pytest.mark.keras


def model_file(path: Path, **changes: Any) -> Path:
    """A saved model whose configuration says something else of its Dense layer."""
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(300, name="wide")(inputs))
    write_model(model, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["config"].update(changes)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)
    return path


def test_a_model_that_fits_its_file(tmp_path: Path) -> None:
    assert read_model(model_file(tmp_path / "m.keras")).count_params() == 1_500


# As many weights as any machine's memory has room for, and more.
@pytest.mark.parametrize("units", [10**6, 10**12])
def test_layers_larger_than_the_file(tmp_path: Path, units: int) -> None:
    path = model_file(tmp_path / "m.keras", units=units)
    with pytest.raises(ValueError, match=f"its layers have {units * 20:,} bytes of weights"):
        read_model(path)


def test_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match="cannot be read"):
        read_model(path)

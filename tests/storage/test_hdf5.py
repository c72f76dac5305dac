"""HDF5 runs no code from the current folder."""

import os
import zipfile
from pathlib import Path

import pytest

from modelspec.storage.archives import has_assets
from modelspec.storage.hdf5 import hdf5


def test_plugins_are_not_looked_for_in_relative_folders() -> None:
    from h5py import h5pl

    h5pl.append(b"disable")  # as in a process with TensorFlow
    h5pl.append(b"./here")
    hdf5()
    assert all(os.path.isabs(h5pl.get(index)) for index in range(h5pl.size()))  # noqa: PTH117


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["../made"], "leads out of the archive"),
        (["assets/../../made"], "leads out of the archive"),
        (["/made"], "leads out of the archive"),
        (["..\\made"], "leads out of the archive"),
        (["assets", "assets/vocabulary"], "'assets' is not a plain file"),
    ],
)
def test_names_in_an_archive_stay_inside(tmp_path: Path, names: list[str], said: str) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5", *names):
            archive.writestr(name, "x")
    with pytest.raises(ValueError, match=said):
        has_assets(tmp_path / "m.keras")


def test_assets_make_an_archive_larger(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    for extra, expected in ([], False), (["assets/", "assets/words/vocabulary.txt"], True):
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("metadata.json", "config.json", "model.weights.h5", *extra):
                archive.writestr(name, "x")
        assert has_assets(path) is expected

"""Files that are replaced completely or not at all."""

import errno
from pathlib import Path

import pytest

from modelspec.storage.atomic import replacing


def fill_the_disk(path: Path) -> None:
    with replacing(path) as aside:
        aside.write_text("half", encoding="utf-8")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_names_the_file_and_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(OSError, match="No space left") as raised:
        fill_the_disk(path)
    assert raised.value.filename == str(path)
    assert path.read_text(encoding="utf-8") == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_an_error_about_another_file_stays(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "a.npz"):
        (tmp_path / "missing").read_bytes()
    assert raised.value.filename == str(tmp_path / "missing")

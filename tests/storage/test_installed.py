"""Versions of installed packages, by the name that Python imports."""

from importlib.metadata import version
from pathlib import Path

import pytest

from modelspec.storage.installed import UNKNOWN, installed_version

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n"


def test_a_distribution_of_the_same_name() -> None:
    assert installed_version("keras") == version("keras")


def test_another_distribution_provides_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As tensorflow-cpu provides tensorflow.
    (tmp_path / "flowing").mkdir()
    (tmp_path / "flowing" / "__init__.py").touch()
    folder = tmp_path / "flowing_cpu-1.2.3.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(METADATA.format(name="flowing-cpu"), encoding="utf-8")
    (folder / "RECORD").write_text("flowing/__init__.py,,\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    assert installed_version("flowing") == "1.2.3"


def test_a_package_without_metadata() -> None:
    assert installed_version("no-such-package") == UNKNOWN

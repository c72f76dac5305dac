"""Environments with the wheel and its requirements, and nothing else of the checkout's."""

import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout in ``folder``."""
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    [wheel] = folder.glob("*.whl")
    return wheel


def build_wheel_from_sdist(folder: Path) -> Path:
    """Build the wheel from the source distribution, as an installer does."""
    _run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", folder)
    [sdist] = folder.glob("*.tar.gz")
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    _run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, sdist)
    [wheel] = folder.glob("*.whl")
    return wheel


def environment_with(wheel: Path, folder: Path, *extras: str) -> Path:
    """Create an environment with ``wheel``, and links to the installed packages that it requires.

    Nothing is downloaded. Returns the folder of its programs.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
    _run(sys.executable, "-m", "pip", "--python", python, "install", *offline, wheel)
    [packages] = folder.glob("lib/python*/site-packages")
    [record] = packages.glob("keras_modelspec-*.dist-info")
    for required in _required(Distribution.at(record), extras):
        for path in _top_level(required):
            link = packages / path.name
            if not link.exists():
                link.symlink_to(path)
    return python.parent


def _required(root: Distribution, extras: Iterable[str]) -> Iterator[Distribution]:
    """Yield the requirements of ``root``, direct and indirect, that are installed here."""
    waiting, seen = list(_requirements(root, extras)), set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, *requirement.extras) in seen:
            continue
        seen.add((name, *requirement.extras))
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # another part of a choice, for another system
            continue
        yield installed
        waiting += _requirements(installed, requirement.extras)


def _requirements(of: Distribution, extras: Iterable[str]) -> Iterator[Requirement]:
    for text in of.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _top_level(of: Distribution) -> set[Path]:
    """Return its packages and modules, and its own record, without programs and data files."""
    names = {file.parts[0] for file in of.files or () if file.parts[0] not in {"..", "__pycache__"}}
    return {Path(str(of.locate_file(name))) for name in names}


def _run(*command: str | Path) -> None:
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"

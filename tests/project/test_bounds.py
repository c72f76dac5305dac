"""The bounds that ``pyproject.toml`` states are those with which ``make test-lowest`` runs."""

import re
import tomllib
from pathlib import Path

from modelspec.catalog import OLDEST

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def bounds() -> dict[str, str]:
    """The lowest version of each package, by its name in lower case."""
    extras = PROJECT["optional-dependencies"].values()
    stated = [*PROJECT["dependencies"], *(line for lines in extras for line in lines)]
    pairs = (line.split(">=") for line in stated if not line.startswith(PROJECT["name"]))
    return {name.lower(): version for name, version in pairs}


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    return {name.lower(): version for name, version in (line.split("==") for line in lines)}


def release(version: str) -> tuple[int, ...]:
    """A version as numbers; zeros at its end do not count."""
    return tuple(int(part) for part in re.sub(r"(\.0)+$", "", version).split("."))


def test_the_lowest_versions_are_the_bounds() -> None:
    lowest = pins("tests/constraints-lowest.txt")
    assert {name: release(lowest[name]) for name in bounds()} == {
        name: release(version) for name, version in bounds().items()
    }


def test_the_pinned_versions_are_in_the_bounds() -> None:
    pinned = pins("constraints.txt")
    for name, version in bounds().items():
        assert release(pinned[name]) >= release(version), name


def test_messages_name_the_oldest_keras() -> None:
    assert bounds()["keras"] == OLDEST

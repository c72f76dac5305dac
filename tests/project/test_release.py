"""The parts of a release: one version, and a changelog that has a section for it."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import modelspec

ROOT = Path(__file__).parents[2]
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
HEADING = re.compile(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2}|unreleased)")


@pytest.fixture(scope="module")
def releases() -> dict[str, str]:
    """The text of each section of the changelog, by its heading."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    return dict(section.split("\n", 1) for section in sections)


def test_the_version_has_the_newest_section(releases: dict[str, str]) -> None:
    newest = next(iter(releases))
    assert newest.startswith(f"[{modelspec.__version__}] - ")
    assert releases[newest].count("\n- ") > 0


def test_sections_go_back_in_time(releases: dict[str, str]) -> None:
    matches = [HEADING.fullmatch(heading) for heading in releases]
    assert all(matches), list(releases)
    numbers = [tuple(map(int, match.groups()[:3])) for match in matches if match]
    assert numbers == sorted(set(numbers), reverse=True)
    assert "unreleased" not in "".join(list(releases)[1:]), "only the newest may be unreleased"


def test_changes_stand_under_their_kind(releases: dict[str, str]) -> None:
    for heading, text in releases.items():
        before, *parts = re.split(r"^### ", text, flags=re.MULTILINE)
        assert not before.strip(), heading
        kinds = [part.partition("\n")[0] for part in parts]
        assert kinds == [kind for kind in KINDS if kind in kinds], heading
        for part in parts:
            for line in part.splitlines()[1:]:
                assert re.match(r"- \S|  \S|$", line), f"{heading}: {line}"


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "modelspec/__init__.py"
    assert version("keras-modelspec") == modelspec.__version__

"""The map of the code in modelspec/README.md names every package, and only what exists."""

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "modelspec"
TEXT = (PACKAGE / "README.md").read_text(encoding="utf-8")
MAP = TEXT.partition("## Why")[0]
ROWS = re.findall(r"^\| `([\w/]+(?:\.py)?)` \| (.*) \|$", MAP, flags=re.MULTILINE)
MODULE = re.compile(r"`(\w+\.py)`")


def packages(folder: Path) -> set[str]:
    """The packages in a folder, as the map writes them."""
    paths = (path.parent for path in folder.glob("*/__init__.py"))
    return {f"{path.relative_to(PACKAGE).as_posix()}/" for path in paths}


def test_the_map_names_every_package() -> None:
    named = {name for name, _ in ROWS}
    modules = {f"backend/{path.name}" for path in (PACKAGE / "backend").glob("[!_]*.py")}
    assert named == packages(PACKAGE) | packages(PACKAGE / "backend") | modules


@pytest.mark.parametrize(("name", "contents"), ROWS)
def test_a_row_names_what_exists(name: str, contents: str) -> None:
    folder = PACKAGE / name
    assert folder.exists()
    missing = [module for module in MODULE.findall(contents) if not (folder / module).exists()]
    assert missing == []


def test_the_text_names_modules_that_exist() -> None:
    modules = {path.name for path in PACKAGE.rglob("*.py")}
    missing = {name for name in MODULE.findall(TEXT) if name not in modules}
    assert missing == set()


def test_the_map_explains_the_code_in_100_words() -> None:
    introduction = re.sub(r"```.*?```", "", TEXT.partition("| package |")[0], flags=re.DOTALL)
    assert len(introduction.split()) <= 100


def test_the_tests_have_the_folders_of_the_code() -> None:
    folders = {f"{path.name}/" for path in PACKAGE.parent.joinpath("tests").iterdir()}
    assert packages(PACKAGE) <= folders

"""Docstrings state what a function does, and names say what a value is."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("modelspec", "tests/support", "tests/benchmarks")
QUESTION = re.compile(r"(What|Whether|How|Why|Where|Which|Who|When)\b")
VAGUE = {"each", "found", "given", "it", "told"}


@cache
def faults(folder: str) -> tuple[list[str], list[str]]:
    """Return the questions and the vague names in the modules of a folder, with their places."""
    asked: list[str] = []
    vague: list[str] = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        nodes = nodes_of(path.read_text(encoding="utf-8"))
        asked += [f"{path.relative_to(ROOT)}:{line}" for line in questions(nodes)]
        vague += [f"{path.relative_to(ROOT)}: {name}" for name in vague_names(nodes)]
    return asked, vague


def nodes_of(text: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(text)))


def questions(nodes: Iterable[ast.AST]) -> Iterator[int]:
    """Yield the lines of docstrings that begin like a question."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            docstring = ast.get_docstring(node)
            if docstring and QUESTION.match(docstring):
                yield getattr(node, "lineno", 1)


def vague_names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names of functions, parameters and variables that say nothing."""
    for node in nodes:
        match node:
            case (
                ast.Name(id=name, ctx=ast.Store())
                | ast.arg(arg=name)
                | ast.FunctionDef(name=name)
                | ast.ClassDef(name=name)
            ) if name.strip("_").lower() in VAGUE:
                yield name


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_are_statements(folder: str) -> None:
    asked, _ = faults(folder)
    assert asked == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_are_nouns_and_verbs(folder: str) -> None:
    _, vague = faults(folder)
    assert vague == []


def test_questions_and_vague_names_would_be_seen() -> None:
    nodes = nodes_of('''
def given(each):
    """Whether it is."""
    found = each
    return found
''')
    assert [*questions(nodes)] == [2]
    assert sorted(vague_names(nodes)) == ["each", "found", "given"]

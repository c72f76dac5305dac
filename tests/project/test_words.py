"""Docstrings state what a function does, and names say what a value is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("modelspec", "tests/support", "tests/benchmarks")
QUESTION = re.compile(r"(What|Whether|How|Why|Where|Which|Who|When)\b")
VAGUE = {"each", "found", "given", "it", "told"}


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def questions(text: str) -> Iterator[int]:
    """Yield the lines of docstrings that begin like a question."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            docstring = ast.get_docstring(node)
            if docstring and QUESTION.match(docstring):
                yield getattr(node, "lineno", 1)


def vague_names(text: str) -> Iterator[str]:
    """Yield the names of functions, parameters and variables that say nothing."""
    for node in ast.walk(ast.parse(text)):
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
    assert [
        f"{path.relative_to(ROOT)}:{line}"
        for path in modules(folder)
        for line in questions(path.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_are_nouns_and_verbs(folder: str) -> None:
    assert [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules(folder)
        for name in vague_names(path.read_text(encoding="utf-8"))
    ] == []


def test_questions_and_vague_names_would_be_seen() -> None:
    text = '''
def given(each):
    """Whether it is."""
    found = each
    return found
'''
    assert [*questions(text)] == [2]
    assert sorted(vague_names(text)) == ["each", "found", "given"]

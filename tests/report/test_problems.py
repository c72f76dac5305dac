"""Problems as people see them: each with the line of the text that it was read from."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from modelspec.api.reading import load, loads
from modelspec.problems.problem import Problem
from modelspec.report.problems import print_problems

SPEC = """\
modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - Dense: {unist: 3}
outputs: y
"""


def shown(problems: Sequence[Problem]) -> list[str]:
    console = Console(file=io.StringIO(), width=200, highlight=False)
    print_problems(console, problems)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def excerpt(number: int, line: str, marked: str) -> list[str]:
    start = line.index(marked)
    return [f"{number:>5} | {line}", f"      | {' ' * start}{'^' * len(marked)}"]


def holds(lines: Sequence[str], part: Sequence[str]) -> bool:
    return any(list(lines[at : at + len(part)]) == list(part) for at in range(len(lines)))


def test_text_that_is_in_no_file() -> None:
    lines = shown(loads(SPEC).problems)
    assert holds(lines, excerpt(4, "  - Dense: {unist: 3}", "unist"))
    assert holds(lines, excerpt(5, "outputs: y", "y"))


@pytest.mark.parametrize(
    ("text", "line", "marked"),
    [
        ("a: 1\na: 2\n", 2, "a"),
        ("modelspec: 1\nb: [1\n", 2, "["),
        ("- 1\n", 1, "- 1"),
        ("a: 1\nb: \x00\n", 2, "\x00"),
    ],
    ids=["a key twice", "a bracket", "a list", "a control character"],
)
def test_text_that_is_not_a_spec(text: str, line: int, marked: str) -> None:
    [problem] = loads(text).problems
    source = text.splitlines()[line - 1].replace("\x00", "\ufffd")
    printed = shown([problem])[1:3]
    assert printed[0] == f"{line:>5} | {source}"
    assert printed[1].startswith("      | ")
    assert "^" in printed[1]
    if marked in source:
        assert printed[1].index("^") - 8 >= source.index(marked)


def test_bytes_that_are_not_utf8() -> None:
    printed = shown(loads("modelspec: 1\nname: é\n".encode("latin-1")).problems)
    assert printed[1:] == excerpt(2, "name: \ufffd", "\ufffd")


@pytest.mark.parametrize(
    ("option", "marked"),
    [
        ("layers.0.Dense.unit=3", "unit"),
        ("training={epochz: 1}", "epochz"),
        ("inputs.x.shape=[4, -1]", "-1"),
        ("layers.7.Dense=", "layers.7.Dense="),
        ("nothing", "nothing"),
        ("training.epochs=]", "]"),
    ],
)
def test_an_option(option: str, marked: str) -> None:
    problems = [
        problem for problem in loads(SPEC, [option]).problems if problem.place.file[0] == "-"
    ]
    lines = shown(problems)
    assert f"    1 | {option}" in lines
    at = lines.index(f"    1 | {option}")
    assert lines[at + 1].index("^") - 8 == option.index(marked)


def test_a_file_that_has_changed_since(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    problems = load(path).problems
    path.write_text("\n" * 4)
    assert holds(shown(problems), excerpt(4, "  - Dense: {unist: 3}", "unist"))
    path.unlink()
    assert holds(shown(problems), excerpt(5, "outputs: y", "y"))


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_are_those_of_yaml(line_break: str) -> None:
    text = "# a comment\n" + SPEC
    lines = shown(loads(text.replace("\n", line_break)).problems)
    assert holds(lines, excerpt(5, "  - Dense: {unist: 3}", "unist"))


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2029"])
@pytest.mark.parametrize("character", ["\x0c", "\x1c", "\x0b"])
def test_a_control_character_stands_in_its_line(line_break: str, character: str) -> None:
    """Python ends a line at these characters, YAML does not."""
    [problem] = loads(f"a: 1{line_break}b: x{character}y{line_break}").problems
    assert (problem.place.span.line, problem.place.span.column) == (2, 5)
    assert shown([problem])[1:3] == excerpt(2, "b: x\ufffdy", "\ufffd")


@pytest.mark.keras
def test_data_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    spec = SPEC.replace("unist", "units").replace("outputs: y", "outputs: dense")
    np.savez(path, x_train=np.zeros((3, 4)), dense_train=np.zeros(3), more_train=np.zeros(3))
    [problem] = [problem for problem in loads(spec).check(path) if problem.place.file == str(path)]
    assert not any(" | " in line for line in shown([problem]))


def test_the_text_is_not_part_of_what_a_problem_says() -> None:
    one, other = loads(SPEC).problems, loads(SPEC + "# the end\n").problems
    assert one == other
    assert "modelspec: 1" not in repr(one)

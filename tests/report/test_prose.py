"""Lines of text and commands on terminals and in pipes."""

import io
import shlex

import pytest
from rich.console import Console

from modelspec.report.prose import HANG, print_command, print_prose
from modelspec.report.summaries import print_summary
from modelspec.results.costs import Costs
from modelspec.results.summary import Parameters, Summary

LINE = "memory of a step: parameters 20.7 KB, gradients 20.7 KB, optimizer 41.5 KB; 82.9 KB in all"
PATH = "/a/folder/whose/name/is/longer/than/the/terminal/is/wide/so/that/it/cannot/fit.npz"
WORDS = [
    *("modelspec", "train", "runs/images/spec.yaml", "--data", "my images.npz"),
    *("--run", "runs/images", "--resume", "--epochs", "6"),
]


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [30, 41, 80, 200])
def test_prose_breaks_between_words(width: int) -> None:
    console = terminal(width)
    print_prose(console, LINE)
    lines = text(console).splitlines()
    assert " ".join(line.rstrip() for line in lines) == LINE
    assert all(len(line.rstrip()) <= width for line in lines)
    assert (len(lines) > 1) == (width < len(LINE))


@pytest.mark.parametrize("width", [30, 41, 80])
def test_the_rest_of_a_message_is_indented(width: int) -> None:
    console = terminal(width)
    print_prose(console, LINE, hang=HANG)
    first, *rest = text(console).splitlines()
    assert rest
    assert all(line.startswith("    ") and line[4] != " " for line in rest)
    assert " ".join([first, *(line.strip() for line in rest)]) == LINE
    assert all(len(line) <= width for line in [first, *rest])


def test_a_path_stays_whole_in_prose() -> None:
    console = terminal(40)
    print_prose(console, f"note: the data is unpacked to {PATH} for this run [once]")
    assert PATH in [line.strip() for line in text(console).splitlines()]
    assert "[once]" in text(console)
    console = terminal(len(PATH) + 1)
    print_prose(console, f"the data is unpacked to {PATH}", hang=HANG)
    assert text(console).splitlines()[1] == PATH


def test_prose_is_one_line_in_a_pipe() -> None:
    console = Console(file=io.StringIO(), width=40)
    print_prose(console, LINE)
    assert text(console) == f"{LINE}\n"


@pytest.mark.parametrize("width", [40, 60, 80, 90, 200])
def test_a_command_is_the_same_where_it_is_copied(width: int) -> None:
    console = terminal(width)
    print_command(console, WORDS, before="next: ")
    lines = text(console).removeprefix("next: ")
    assert shlex.split(lines.replace("\\\n", " ")) == WORDS
    assert all(len(line) <= width for line in text(console).splitlines()[1:])
    assert ("\\" in lines) == (width < len(f"next: {shlex.join(WORDS)}"))


def test_a_command_is_one_line_in_a_pipe() -> None:
    console = Console(file=io.StringIO(), width=40)
    print_command(console, WORDS)
    assert text(console) == f"{shlex.join(WORDS)}\n"


def test_costs_break_between_words() -> None:
    console = terminal(50)
    summary = Summary("small", (), (), (), Parameters(5187, 5187, 0, 20748))
    costs = Costs("small", 32, {}, (), 20748, 20748, 41504)
    print_summary(console, summary, costs)
    last = text(console).split("memory of a step:")[1]
    assert "activations" in last.split()
    assert all(len(line.rstrip()) <= 50 for line in text(console).splitlines())

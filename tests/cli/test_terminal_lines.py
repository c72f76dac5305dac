"""The messages of the command line on a narrow terminal: their lines break between words."""

import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from rich.console import Console

from modelspec import cli
from modelspec.problems.errors import ResumableError, RunInterrupted

WIDTH = 60
LONG = "--batch-size, --shape, --measure and --workers need --costs"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=WIDTH, color_system=None)
    monkeypatch.setattr(cli, "err", lambda: console)
    return text


def test_the_command_that_continues_a_run(terminal: io.StringIO) -> None:
    command = "modelspec train series.yaml --data 'my series.npz' --run runs/a --resume"
    assert cli._interrupted(str(RunInterrupted(Path("runs/a"), command))) == 130
    lines = terminal.getvalue().splitlines()
    assert len(lines) > 1
    told = "\n".join(lines).replace("\\\n", " ").partition("continue with ")[2]
    assert shlex.split(told) == shlex.split(command)


def test_the_options_that_continue_a_run_are_quoted(terminal: io.StringIO) -> None:
    assert cli._interrupted(str(RunInterrupted(Path("Ann's runs")))) == 130
    told = terminal.getvalue().partition("continue with ")[2]
    assert shlex.split(told) == ["--run", "Ann's runs", "--resume"]


def test_an_error_keeps_the_command_that_continues_a_run(terminal: io.StringIO) -> None:
    error = ResumableError("the disk is full", Path("runs/a"), "modelspec train s.yaml --resume")
    assert cli._exit_code(error) == 1
    assert terminal.getvalue() == f"error: {error}\n"


def test_an_interruption_without_a_run(terminal: io.StringIO) -> None:
    assert cli._exit_code(click.Abort()) == 130
    assert terminal.getvalue() == "interrupted\n"


@pytest.mark.process
@pytest.mark.parametrize("on_terminal", [False, True])
def test_wrong_usage(tmp_path: Path, *, on_terminal: bool) -> None:
    asked = {"FORCE_COLOR": "1", "NO_COLOR": "1"} if on_terminal else {}
    ran = subprocess.run(
        [sys.executable, "-m", "modelspec", "summary", "spec.yaml", "--batch-size", "3"],
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "40"} | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    lines = ran.stderr.splitlines()
    assert (max(map(len, lines)) <= 40) == on_terminal
    assert f"Error: {LONG}" in " ".join(line.strip() for line in lines)

"""``modelspec/CLI.md``, which scripts rely on, against the commands and the files that it names."""

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from modelspec.cli import INTERRUPTED, OUR_FAULT, SPEC_PROBLEM, USAGE
from modelspec.cli import modelspec as group
from modelspec.runs import layout

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "modelspec" / "CLI.md").read_text(encoding="utf-8")
USAGES = dict(re.findall(r"^\| `modelspec (\w+) ?(.*?)` \|", PAGE, re.MULTILINE))
CONTEXT = click.Context(group)
WRONG = "modelspec: 1\ninputs: {x: {shape: [2]}}\nlayers: [Dnese: {units: 1}]\noutputs: y\n"


def options(command: str) -> dict[str, Any]:
    """The names of a command's options, and the choices of each, or None."""
    command_object = group.get_command(CONTEXT, command)
    assert command_object is not None
    return {
        name: getattr(option.type, "choices", None)
        for option in command_object.params
        if isinstance(option, click.Option)
        for name in option.opts
    }


def keys(command: str) -> list[set[str]]:
    """The keys of the JSON objects that the page lists for a command, in its order."""
    part = PAGE.partition(f"`{command} --format json`")[2].partition("--format json`")[0]
    return [set(re.findall(r'"(\w+)"', braced)) for braced in re.findall(r"`\{(.*?)\}`", part)]


def printed(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    with pytest.raises(SystemExit):
        group.main([*arguments, "--format", "json"])
    return json.loads(capfd.readouterr().out)


def test_every_command_is_listed() -> None:
    assert sorted(USAGES) == sorted(group.list_commands(CONTEXT))


@pytest.mark.parametrize("command", USAGES)
def test_options_are_those_of_the_command(command: str) -> None:
    usage = USAGES[command].replace("\\|", "|")
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", usage)) == options(command).keys()
    required = re.sub(r"\[[^]]*\]", "", usage)
    assert ("--data" in required) == (
        command in {"train", "launch", "evaluate", "predict", "balance"}
    )


@pytest.mark.parametrize("command", USAGES)
def test_formats_are_those_of_the_command(command: str) -> None:
    listed = re.findall(r"--format ([\w|]+)", USAGES[command].replace("\\|", "|"))
    choices = options(command).get("--format")
    assert listed == (["|".join(choices)] if choices else [])


def test_exit_codes_are_those_of_the_command_line() -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert codes == [0, SPEC_PROBLEM, USAGE, OUR_FAULT, INTERRUPTED]


def test_problems_have_the_keys(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(WRONG, encoding="utf-8")
    listed, related = keys("check")
    problems = printed(capfd, "check", "--fast", str(path))
    assert problems
    assert [set(problem) for problem in problems] == [listed] * len(problems)
    path.write_text(WRONG.replace("outputs: y\n", "outputs: y\noutputs: z\n"), encoding="utf-8")
    [duplicate] = printed(capfd, "check", "--fast", str(path))
    assert [set(place) for place in duplicate["related"]] == [related]


@pytest.mark.keras
def test_summaries_have_the_keys(capfd: pytest.CaptureFixture[str]) -> None:
    whole, ends, layers, params = keys("summary")
    summary = printed(capfd, "summary", str(ROOT / "specs" / "mlp.yaml"))
    assert set(summary) == whole
    assert [set(entry) for entry in (*summary["inputs"], *summary["outputs"])] == [ends] * 2
    assert {frozenset(layer) for layer in summary["layers"]} == {frozenset(layers)}
    assert set(summary["params"]) == params


@pytest.mark.parametrize("chosen", [(), ("val_loss",), ("name", "loss", "params.width")])
def test_listed_runs_have_the_keys(
    chosen: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    [documented] = keys("runs")
    (tmp_path / "run.json").write_text('{"status": "completed", "parameters": {"width": 3}}')
    (tmp_path / "history.jsonl").write_text('{"epoch": 1, "loss": 2.0, "val_loss": 1.0}\n')
    options = ["--columns", ",".join(chosen)] if chosen else []
    [run] = printed(capfd, "runs", str(tmp_path), *options)
    assert set(run) == documented | set(chosen)


def test_files_of_a_run_are_those_of_its_layout() -> None:
    table = PAGE.partition("## The folder of a run")[2]
    named = {name.rstrip("/") for name in re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)}
    known = {value for name, value in vars(layout).items() if name.isupper()}
    assert named <= known
    assert {layout.RECORD, layout.HISTORY} <= named

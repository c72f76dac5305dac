"""Processes that are started as workers: their input, and the place of Python's modules."""

from pathlib import Path

import pytest

from modelspec.cluster.local import run_workers

pytestmark = pytest.mark.process

SPEC = """\
modelspec: 1
inputs: {x: {shape: [2]}}
layers:
  - Dense: {units: 1}
    name: y
outputs: y
"""


def test_every_worker_gets_the_text_on_its_standard_input(tmp_path: Path) -> None:
    long = SPEC + "#" * 70_000  # more than a pipe holds
    outcome = run_workers(["check", "-", "--fast"], 2, tmp_path, text=long)
    assert (outcome.code, outcome.reason) == (0, "")
    log = (tmp_path / "workers" / "1.log").read_text()
    assert log == "no problems\n"


def test_modules_of_the_current_folder_are_not_those_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit(7)\n")
    monkeypatch.chdir(tmp_path)
    outcome = run_workers(["check", "-", "--fast"], 2, tmp_path, text=SPEC)
    assert (outcome.code, outcome.reason) == (0, "")

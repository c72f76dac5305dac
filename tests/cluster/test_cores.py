"""The cores that workers get, and the cores on which they run."""

import json
import os
import sys
from pathlib import Path

import pytest

from modelspec.cluster.cores import divide, starting_on, usable_cores
from modelspec.cluster.local import run_workers

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process choose")

SPEC = """\
modelspec: 1
inputs: {x: {shape: [2]}}
layers:
  - Dense: {units: 1}
    name: y
outputs: y
"""
# Python imports it when it starts.
RECORDER = """\
import json, os
config = json.loads(os.environ["TF_CONFIG"])
name = f"{config['task']['index']}.json"
facts = sorted(os.sched_getaffinity(0)), os.environ["TF_NUM_INTRAOP_THREADS"]
with open(os.path.join(os.path.dirname(__file__), name), "w") as file:
    json.dump(facts, file)
"""


@pytest.mark.parametrize(
    ("cores", "count", "shares"),
    [
        ([0, 1], 2, [[0], [1]]),
        ([0, 4, 1, 5, 2, 6, 3, 7], 2, [[0, 4, 1, 5], [2, 6, 3, 7]]),
        ([3, 5, 7, 9, 11], 3, [[3], [5, 7], [9, 11]]),
        ([0, 1], 3, [[0, 1]] * 3),
    ],
)
def test_cores_are_divided_where_there_are_enough(
    cores: list[int], count: int, shares: list[list[int]]
) -> None:
    assert divide(cores, count) == shares


@LINUX
def test_usable_cores_are_those_of_the_process() -> None:
    assert set(usable_cores()) == os.sched_getaffinity(0)


@LINUX
def test_this_process_returns_to_its_cores() -> None:
    before = os.sched_getaffinity(0)
    with starting_on([min(before)]):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


@LINUX
@pytest.mark.process
def test_every_worker_runs_on_its_own_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores = usable_cores()
    if len(cores) < 2:
        pytest.skip("one core cannot be divided")
    (tmp_path / "sitecustomize.py").write_text(RECORDER)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run_workers(["check", "-", "--fast"], 2, tmp_path, text=SPEC).code == 0
    recorded = [(tmp_path / f"{index}.json").read_text() for index in range(2)]
    threads = str(len(cores) // 2)
    expected = [[sorted(own), threads] for own in divide(cores, 2)]
    assert [json.loads(text) for text in recorded] == expected

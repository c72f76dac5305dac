"""Workers that differ: real processes on loopback, which name the difference in one sentence."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from worker_runs import QUIET, free_addresses

from modelspec.cluster.cluster import config_text

pytestmark = [pytest.mark.process]

SPEC = """\
modelspec: 1
inputs: {x: {shape: [2]}}
layers:
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
"""
PLUGIN = """\
import keras

@keras.saving.register_keras_serializable(package="own")
class Twice(keras.layers.Layer):
    def call(self, x):
        return FACTOR * x
"""
ROOT = str(Path(__file__).parents[2])
HOSTS = ("127.0.0.2", "127.0.0.3")


class Worker(NamedTuple):
    """The arguments and environment of one process."""

    words: Sequence[str] = ()
    changes: Mapping[str, str] = {}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    for name, value in (("data", 0.0), ("other", 1.0)):
        arrays: dict[str, Any] = {"x": np.full((8, 2), value), "y": np.zeros((8, 1))}
        np.savez(tmp_path / f"{name}.npz", **arrays)
    for name, factor in (("a", "2"), ("b", "3")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.py").write_text(PLUGIN.replace("FACTOR", factor), "utf-8")
    package = tmp_path / "old" / "numpy-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Name: numpy\nVersion: 1.0\n", encoding="utf-8")
    return tmp_path


def ended(folder: Path, *workers: Worker) -> list[str]:
    """Return the output of each worker; all end with 1, and none begins to train."""
    command = [sys.executable, "-m", "modelspec", "train", "spec.yaml", "--run", "run"]
    processes = [
        subprocess.Popen(
            [*command, *worker.words],
            cwd=folder,
            env={**os.environ, **QUIET, "PYTHONPATH": ROOT, **worker.changes},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for worker in workers
    ]
    texts = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [1] * len(workers), texts
    assert not (folder / "run" / "run.json").exists()
    return [re.sub(r"^note: .*\n", "", text, flags=re.MULTILINE) for text in texts]


def pair(*words: str, others: Sequence[str] | None = None, **changes: str) -> list[Worker]:
    """Two workers of one cluster, of which the second has other words or variables."""
    where = free_addresses(*HOSTS)
    one, two = ({"TF_CONFIG": config_text(where, index)} for index in range(2))
    mine = words or ("--data", "data.npz")
    return [Worker(mine, one), Worker(mine if others is None else others, two | changes)]


DATA = ("--data", "data.npz")
DIFFERENCES: list[tuple[str, Sequence[str], Sequence[str], dict[str, str]]] = [
    ("seed", DATA, (*DATA, "--set", "training.seed=1"), {}),
    ("spec", DATA, (*DATA, "--epochs", "3"), {}),
    ("data", DATA, ("--data", "other.npz"), {}),
    (
        "validation data",
        (*DATA, "--validation", "data.npz"),
        (*DATA, "--validation", "other.npz"),
        {},
    ),
    ("version", DATA, DATA, {"PYTHONPATH": f"old{os.pathsep}{ROOT}"}),
    ("plugins", (*DATA, "--plugin", "a/own.py"), (*DATA, "--plugin", "b/own.py"), {}),
]


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param(difference, id=difference[0], marks=[pytest.mark.sweep] if at else [])
        for at, difference in enumerate(DIFFERENCES)
    ],
)
def test_each_worker_says_who_differs_in_what(
    folder: Path, difference: tuple[str, Sequence[str], Sequence[str], dict[str, str]]
) -> None:
    name, mine, others, changes = difference
    texts = ended(folder, *pair(*mine, others=others, **changes))
    assert texts[0] == texts[1]
    assert re.fullmatch(
        rf"error: worker 1 \(127\.0\.0\.3:\d+\) has another {name} than worker 0 .*\n", texts[0]
    )
    assert texts[0].count(" has another ") == 1


@pytest.mark.sweep
def test_lists_of_other_lengths_are_named(folder: Path) -> None:
    three = free_addresses(*HOSTS, "127.0.0.4")
    data = ["--data", "data.npz"]
    configs = [config_text(three[:2], 0), config_text(three, 1)]
    texts = ended(folder, *(Worker(data, {"TF_CONFIG": config}) for config in configs))
    assert all(
        "worker 1 (127.0.0.3" in text and "another list of workers" in text for text in texts
    )


@pytest.mark.sweep
def test_two_chiefs_and_a_port_in_use_are_named(folder: Path) -> None:
    """Whoever comes second cannot use the address, and the first misses the other worker."""
    one, _ = pair()
    with socket.create_server(("127.0.0.2", port_of(one))):
        [text] = ended(folder, one)
    assert "worker 0 (127.0.0.2" in text
    assert "or a second worker 0, use it?" in text
    short = {"MODELSPEC_PATIENCE": "20"}
    chiefs = [Worker(one.words, {**one.changes, **short})] * 2
    texts = sorted(ended(folder, *chiefs))
    assert "or a second worker 0, use it?" in texts[0]
    assert re.search(r"worker 1 \(127\.0\.0\.3:\d+\) did not come within 20 seconds\n", texts[1])


@pytest.mark.sweep
def test_a_missing_worker_is_named_on_every_side(folder: Path) -> None:
    for index, said in ((0, "did not come within 1 seconds"), (1, "did not answer within 1 sec")):
        worker = pair()[index]
        [text] = ended(folder, Worker(worker.words, {**worker.changes, "MODELSPEC_PATIENCE": "1"}))
        assert f"worker {1 - index} (127.0.0.{3 - index}" in text
        assert said in text


@pytest.mark.sweep
def test_more_workers_than_rows_are_refused(folder: Path) -> None:
    where = free_addresses(*["127.0.0.1"] * 9)
    worker = Worker(["--data", "data.npz"], {"TF_CONFIG": config_text(where, 4)})
    [text] = ended(folder, worker)
    assert text == "error: 9 workers cannot share 8 training rows\n"


def step(rank: int, **changes: str) -> Worker:
    """A task of a Slurm job step on two nodes."""
    variables = {
        "SLURMD_NODENAME": HOSTS[rank],
        "SLURM_DISTRIBUTION": "block",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_PROCID": str(rank),
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NODELIST": "127.0.0.[2-3]",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
    }
    return Worker(["--data", "data.npz"], variables | changes)


@pytest.mark.sweep
def test_tasks_of_slurm_are_compared(folder: Path) -> None:
    other = step(1)._replace(words=["--data", "other.npz"])
    texts = ended(folder, step(0), other)
    assert texts[0] == texts[1]
    assert "worker 1 (127.0.0.3:" in texts[0]
    assert "has another data than" in texts[0]


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"MODELSPEC_PATIENCE": "1"}, r"worker 1 \(127\.0\.0\.3:\d+\) did not come within 1"),
        ({"SLURMD_NODENAME": "127.0.0.9"}, r"runs task 0 on 127\.0\.0\.9 and not on 127\.0\.0\.2"),
        ({"SLURM_STEP_NODELIST": "127.0.0.[2-"}, r"is not a list of Slurm's nodes"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x2)"}, r"does not divide 2 tasks among 2 nodes"),
        ({"SLURM_PROCID": "7"}, r"there is no worker 7 among the 2 of the Slurm job step"),
    ],
)
def test_a_task_of_slurm_that_cannot_start_says_why(
    folder: Path, changes: dict[str, str], said: str
) -> None:
    [text] = ended(folder, step(0, **changes))
    assert re.search(rf"error: .*{said}", text)


def port_of(worker: Worker) -> int:
    match = re.search(r"127\.0\.0\.2:(\d+)", worker.changes["TF_CONFIG"])
    assert match is not None
    return int(match[1])

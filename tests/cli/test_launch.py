"""``launch --print``: its refusals, and trainings with its scripts.

``tests/support/slurm/srun`` starts tasks as Slurm does; ``pods.py`` fills in variables as
Kubernetes does.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from pods import pod_command, pod_environment
from worker_runs import QUIET, free_addresses, history

from modelspec.cli import modelspec as group

ROOT = Path(__file__).parents[2]
SLURM = ROOT / "tests" / "support" / "slurm"
TOOLS = Path(sys.executable).parent

pytestmark = pytest.mark.keras

Launched = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a spec and its data."""
    for name, target in (("specs", ROOT / "specs"), ("data", ROOT / "data")):
        (tmp_path / name).symlink_to(target)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def launched(folder: Path, capfd: pytest.CaptureFixture[str]) -> Launched:
    """Prints for a tool; the text on standard output."""
    del folder

    def run(form: str, *more: str, spec: str = "specs/digits.yaml", workers: int = 2) -> str:
        words = ["launch", "--print", form, spec, "--workers", str(workers), *more]
        code = group.main([*words, "--data", "data/digits.npz"], standalone_mode=False)
        output = capfd.readouterr()
        assert not code, output.err
        return output.out

    return run


def test_paths_start_from_the_folder_that_all_machines_see(
    launched: Launched, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, job = yaml.safe_load_all(launched("kubernetes", "--run", str(folder / "runs" / "a")))
    command = pod_command(job, 0)
    assert command[command.index("--run") + 1] == "runs/a"
    words = ["launch", "--print", "slurm", "specs/digits.yaml", "--workers", "2"]
    group.main([*words, "--data", "/elsewhere/x.npz"], standalone_mode=False)
    output = capfd.readouterr()
    assert "--data /elsewhere/x.npz" in output.out
    assert "/elsewhere/x.npz: not on this machine" in output.err
    assert f"/elsewhere/x.npz is outside of {folder}: all machines need it" in output.err


@pytest.mark.parametrize(
    "case",
    [
        (["--workers", "0"], 2, "0 is not in the range x>=1"),
        (["--workers", "two"], 2, "'two' is not a valid integer"),
        ([], 2, "Missing option '--workers'"),
        (["--workers", "33"], 2, "33 workers cannot share batches of 32 rows"),
        (["--workers", "3", "--batch-size", "2"], 2, "cannot share batches of 2 rows"),
        (["--workers", "2", "--restarts", "-1"], 2, "-1 is not in the range"),
        (["--workers", "2", "--resume"], 2, "--resume"),
        (["--workers", "2", "--set", "training.epochs=0"], 1, "training.epochs"),
        (["--workers", "2", "--weights", "none.keras"], 1, "none.keras"),
    ],
)
def test_what_is_wrong_is_told_before_a_scheduler_gets_it(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    case: tuple[list[str], int, str],
) -> None:
    del folder
    more, code, said = case
    words = ["launch", "--print", "slurm", "specs/digits.yaml", "--data", "data/digits.npz"]
    assert ended(monkeypatch, [*words, *more]) == code
    output = capfd.readouterr()
    assert said in output.err
    assert not output.out


@pytest.mark.parametrize("words", [["slurm", "-"], ["pbs", "specs/digits.yaml"], ["slurm"]])
def test_wrong_usage(folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    del folder
    more = ["--data", "data/digits.npz", "--workers", "2"]
    assert ended(monkeypatch, ["launch", "--print", *words, *more]) == 2


def test_options_of_train_are_repeated_as_they_were_written(folder: Path) -> None:
    from modelspec.cli.launch import _words, launch

    arguments = [
        *("s.yaml", "--data", "a.npz", "--data", str(folder / "b.npz"), "--model", "trunk=runs/t"),
        *("--epochs", "2", "--checkpoint-minutes", "5.0", "--quiet", "--set", "params.n=3"),
    ]
    words = [*arguments, "--print", "slurm", "--workers", "2"]
    values = launch.make_context("launch", words).params
    repeated = ["b.npz" if word == str(folder / "b.npz") else word for word in arguments]
    assert sorted(_words(values, folder)) == sorted(repeated)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.sweep
def test_a_batch_script_trains(launched: Launched, folder: Path) -> None:
    job = slurm_job(folder, launched("slurm", "--run", "runs/a", "--epochs", "2"))
    assert job.returncode == 0, job.stderr
    assert job.stdout == "runs/a\n"
    assert [record["epoch"] for record in history(folder / "runs" / "a")] == [1, 2]


@pytest.mark.process
@pytest.mark.sweep
def test_a_batch_script_continues_after_a_lost_worker(launched: Launched, folder: Path) -> None:
    text = launched("slurm", "--run", "runs/a", "--epochs", "40", "--restarts", "1")
    whole = slurm_job(folder, text.replace("runs/a", "runs/whole"))
    assert whole.returncode == 0, whole.stderr
    killer = (
        'if [ "$SLURM_PROCID" = 1 ] && mkdir killed; then '
        '(until [ -s runs/a/history.jsonl ]; do sleep 0.05; done; kill -9 $$) & fi; exec "$@"'
    )
    (folder / "task").write_text(f"#!/bin/bash\n{killer}\n")
    (folder / "task").chmod(0o755)
    job = slurm_job(folder, text.replace("modelspec train", "./task modelspec train"))
    assert job.returncode == 0, job.stderr
    assert "a worker was lost; continuing from the last checkpoint" in job.stderr
    assert history(folder / "runs" / "a") == history(folder / "runs" / "whole")


@pytest.mark.process
@pytest.mark.sweep
def test_the_pods_of_a_manifest_train(launched: Launched, folder: Path) -> None:
    """Names of pods are addresses of loopback here, with ports of their own."""
    _, job = yaml.safe_load_all(launched("kubernetes", "--run", "runs/a", "--epochs", "2"))
    pods = [pod_environment(job, index) for index in range(2)]
    listed = json.loads(pods[0]["TF_CONFIG"])["cluster"]["worker"]
    for name, address in zip(listed, free_addresses("127.0.0.2", "127.0.0.3"), strict=True):
        for pod in pods:
            pod["TF_CONFIG"] = pod["TF_CONFIG"].replace(name, address)
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [TOOLS / "modelspec", *pod_command(job, index)[1:]],
                    cwd=folder,
                    env=os.environ | QUIET | pod,
                )
            )
            for index, pod in enumerate(pods)
        ]
        assert [process.wait() for process in started] == [0, 0]
    assert [record["epoch"] for record in history(folder / "runs" / "a")] == [1, 2]


def ended(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> int:
    """The exit code of the command line."""
    from modelspec.cli import _run

    monkeypatch.setattr(sys, "argv", ["modelspec", *words])
    return _run()


def slurm_job(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    path = f"{SLURM}{os.pathsep}{TOOLS}{os.pathsep}{os.environ['PATH']}"
    batch = {"SLURM_CPUS_ON_NODE": "2", "SRUN_CALLS": str(folder / "calls")}
    (folder / "job.sh").write_text(script, encoding="utf-8")
    return subprocess.run(
        ["bash", "job.sh"],
        cwd=folder,
        env=os.environ | QUIET | {"PATH": path} | batch,
        capture_output=True,
        text=True,
        check=False,
    )

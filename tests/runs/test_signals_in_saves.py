"""Signals that arrive while a run writes its files: nothing is lost, and resuming gives equal bits.

strace sends them, at a system call that writes, flushes or renames a file of the run. So the moment
is exact, and nothing is replaced in modelspec.
"""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from deaths import fingerprint, whole_files

pytestmark = [
    pytest.mark.keras,
    pytest.mark.process,
    pytest.mark.sweep,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

SPEC = """
modelspec: 1
inputs: {x: {shape: [40]}}
layers:
  - Dense: {units: 600, activation: relu}
  - Dropout: {rate: 0.3}
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
metrics: mae
optimizer: adam
training:
  epochs: 3
  batch_size: 8
  validation_split: 0.25
  callbacks:
    - EarlyStopping: {patience: 9, restore_best_weights: true}
    - ModelCheckpoint: {filepath: b.weights.h5, save_weights_only: true}
    - CSVLogger: {filename: log.csv}
"""
CALLS = "write,pwrite64,fsync,rename,unlink"
TRAIN = "train spec.yaml --data d.npz --resume --quiet --checkpoint-minutes 0.0002 --run"
ASKED = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that a run answers with a checkpoint."""


MOST = 8
"""The files for each signal: each disturbed run takes half a minute of processor time."""

HITS: list[bool] = []
"""Whether the signal came before the run had ended, for each run."""


class Moment(NamedTuple):
    """The nth of a kind of system call of the thread that trains, and the file that it is about."""

    call: str
    nth: int
    file: str


def modelspec(folder: Path, command: str, *tracing: str) -> "subprocess.CompletedProcess[str]":
    strace = ["strace", "-f", "-qq", "-y", *tracing] if tracing else []
    return subprocess.run(
        [*strace, sys.executable, "-m", "modelspec", *command.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec, data, and the run ``whole`` that nothing disturbed."""
    folder = tmp_path_factory.mktemp("base")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(64, 40)).astype("f")
    np.savez(folder / "d.npz", x=x, y=x[:, :1])
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    traced = ("-o", "whole.trace", "-e", f"trace={CALLS}")
    done = modelspec(folder, f"{TRAIN} whole", *traced)
    assert done.returncode == 0, done.stderr
    return folder


def moments(base: Path) -> list[Moment]:
    """Return the system calls of the undisturbed run that are about its files."""
    counts: Counter[tuple[str, str]] = Counter()
    in_run = []
    for line in (base / "whole.trace").read_text(encoding="utf-8", errors="replace").splitlines():
        if call := re.match(r"^(\d+)\s+(\w+)\((.*)", line):
            thread, name, arguments = call.groups()
            counts[thread, name] += 1
            if path := re.search(rf'[<"](?:{base}/)?whole/([^>"]+)[>"]', arguments):
                in_run.append(Moment(name, counts[thread, name], path[1]))
    return in_run


def judged(base: Path, run: str) -> tuple[dict[str, float], bytes]:
    evaluated = modelspec(base, f"evaluate {run} --data d.npz --format json")
    predicted = modelspec(base, f"predict {run} --data d.npz -o {run}.npz")
    assert evaluated.returncode == predicted.returncode == 0, evaluated.stderr + predicted.stderr
    with np.load(base / f"{run}.npz") as stored:
        return json.loads(evaluated.stdout), stored["y"].tobytes()


def disturbed(base: Path, run: str, moment: Moment, name: str) -> list[str]:
    """Send a signal to a training at a moment, continue it, and return what is wrong."""
    inject = f"inject={moment.call}:signal={name}:when={moment.nth}"
    tracing = ("-o", "/dev/null", "-e", f"trace={moment.call}", "-e", inject)
    cut = modelspec(base, f"{TRAIN} {run}", *tracing)
    wrong = []
    # How often a run saves depends on the clock: it may end before the moment. Before its first
    # step, a signal ends the process as any other.
    number = signal.Signals[name]
    expected = {0, -number, 128 + number, *([130] if name in ASKED else [])}
    if cut.returncode not in expected or "Traceback" in cut.stderr:
        wrong.append(f"exit {cut.returncode}: {cut.stderr[-500:]}")
    whole_files(base / run)
    allowed = {0: {"completed"}, 130: {"interrupted", "completed"}}
    if (base / run / "run.json").exists():
        listed = modelspec(base, f"runs {run} --format json")
        states = {state["status"] for state in json.loads(listed.stdout)}
        if listed.returncode or states - allowed.get(cut.returncode, {"died", "completed"}):
            wrong.append(f"status {states} after exit {cut.returncode}: {listed.stderr}")
    if moment.nth % 3 == 0:
        early = modelspec(base, f"evaluate {run} --data d.npz")
        if early.returncode and not (early.returncode == 1 and "error: " in early.stderr):
            wrong.append(f"evaluate: exit {early.returncode}, {early.stderr}")
    again = modelspec(base, f"{TRAIN} {run}")
    if again.returncode:
        return [*wrong, f"resume: exit {again.returncode}, {again.stderr}"]
    if fingerprint(base / run) != fingerprint(base / "whole"):
        wrong.append("the resumed run differs")
    if (base / run / "log.csv").read_bytes() != (base / "whole" / "log.csv").read_bytes():
        wrong.append("log.csv differs")
    HITS.append(cut.returncode != 0)
    if leftovers := [str(path) for path in (base / run).rglob(".*")]:
        wrong.append(f"left: {leftovers}")
    return wrong


@pytest.mark.parametrize("name", [*ASKED, "SIGKILL"])
def test_a_signal_inside_a_save(base: Path, name: str) -> None:
    """The first and the last save of each file, and random moments among the others."""
    chance = random.Random(name)  # noqa: S311 - which moments, and no secret
    every = moments(base)
    files = sorted({re.sub(r"\d+", "N", moment.file) for moment in every})
    assert any("checkpoints" in file for file in files), files
    assert {"model.keras", "history.jsonl", "run.json"} <= {
        re.sub(r"^\.(\w+)\.N", r"\1", file) for file in files
    }, files
    by_file = {file: [m for m in every if re.sub(r"\d+", "N", m.file) == file] for file in files}
    # Of the saves of a file, the first half: how many there are depends on the clock.
    early = [moment for of_file in by_file.values() for moment in of_file[: len(of_file) // 2 + 1]]
    chosen = {chance.choice([m for m in early if m in by_file[file]]) for file in files}
    chosen = {*chance.sample(sorted(chosen), min(len(chosen), MOST)), *chance.sample(early, 2)}
    wrong = []
    for number, moment in enumerate(sorted(chosen)):
        run = f"{name}-{number}"
        wrong += [f"{moment}: {text}" for text in disturbed(base, run, moment, name)]
        if number % 4 == 0 and judged(base, run) != judged(base, "whole"):
            wrong.append(f"{moment}: evaluate or predict differ")
    assert not wrong, "\n".join(wrong)
    assert any(HITS[-len(chosen) :])

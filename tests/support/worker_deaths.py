"""Workers that are killed at random moments; the others must end, and the run must continue.

    python tests/support/worker_deaths.py --kills 30

Half of the runs have ``--restarts``; the others are continued with ``--resume``. Each must end with
the same bytes as an undisturbed run.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from worker_runs import QUIET, command, history, weights

LIMIT = 60.0
"""Seconds in which all workers must end after one was killed."""

SPEC = """\
modelspec: 1
inputs: {x: {shape: [8, 8]}}
layers:
  - LSTM: {units: 8, dropout: 0.2}
  - BatchNormalization: {synchronized: true}
  - Dropout: {rate: 0.3}
  - Dense: {units: 10, activation: softmax}
    name: y
outputs: y
losses: sparse_categorical_crossentropy
metrics: accuracy
optimizer: {Adam: {learning_rate: 0.01}}
training:
  epochs: 6
  batch_size: 10
  validation_split: 0.2
  callbacks: [{ReduceLROnPlateau: {patience: 1, min_delta: 0.5}}]
"""
ROWS = 633


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, failures = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spec.yaml").write_text(SPEC)
        rows = np.random.default_rng(0)
        x, y = rows.normal(size=(ROWS, 8, 8)).astype("f"), rows.integers(0, 10, ROWS)
        np.savez(folder / "data.npz", x=x, y=y)
        alone, seconds = {}, {}
        for workers in (2, 3):
            began = time.monotonic()
            alone[workers] = folder / f"alone{workers}"
            start(folder, alone[workers], workers).wait()
            seconds[workers] = time.monotonic() - began
        for count in range(options.kills):
            workers, restarts = chance.choice((2, 3)), count % 2
            run = folder / f"killed{count}"
            moment = chance.uniform(0.1, 1.0) * seconds[workers]
            problem, said = killed(run, workers, restarts, moment, chance.randrange(workers))
            problem = problem or difference(alone[workers], run)
            failures += bool(problem)
            print(f"{count}: {said}: {problem or 'the same bytes'}", flush=True)
    print(f"{options.kills - failures} of {options.kills} as if nothing had happened")
    return 1 if failures else 0


def start(folder: Path, run: Path, workers: int, *more: str) -> "subprocess.Popen[bytes]":
    words = ("--workers", str(workers), "--checkpoint-minutes", "0.005", *more)
    return subprocess.Popen(
        command(folder / "spec.yaml", folder / "data.npz", run, *words),
        env=os.environ | QUIET,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def killed(run: Path, workers: int, restarts: int, moment: float, index: int) -> tuple[str, str]:
    """Kill a worker, and train to the end; return the problem, if any, and a description."""
    folder = run.parent
    process = start(folder, run, workers, "--restarts", str(restarts))
    time.sleep(moment)
    victims = children(process.pid)
    said = f"{workers} workers, --restarts {restarts}"
    if len(victims) == workers:
        os.kill(victims[index], signal.SIGKILL)
        said += f", worker {index} killed in epoch {epochs(run) + 1}"
        if problem := left(process.pid, {*victims} - {victims[index]}):
            return problem, said
    code = process.wait()
    if code and not restarts:
        said += ", continued with --resume"
        code = start(folder, run, workers, "--resume").wait()
    return (f"exit code {code}" if code else ""), said


def left(parent: int, others: set[int]) -> str:
    """Wait until the other workers have ended; return a sentence if they do not."""
    began = time.monotonic()
    while others & set(children(parent)):
        if time.monotonic() - began > LIMIT:
            return f"the other workers still live after {LIMIT:g} seconds"
        time.sleep(0.1)
    return ""


def children(parent: int) -> list[int]:
    """Return the processes that a process started, oldest first, from Linux's /proc."""
    try:
        tasks = list(Path(f"/proc/{parent}/task").glob("*/children"))
        return sorted(int(word) for task in tasks for word in task.read_text().split())
    except OSError:
        return []


def epochs(run: Path) -> int:
    return len(history(run)) if (run / "history.jsonl").exists() else 0


def difference(alone: Path, run: Path) -> str:
    if history(alone) != history(run):
        return "the history differs"
    ours, theirs = weights(run), weights(alone)
    names = [name for name in theirs if not np.array_equal(ours[name], theirs[name])]
    return f"{', '.join(names)} differ" if names else ""


if __name__ == "__main__":
    sys.exit(main())

"""Training that is killed, or that runs out of disk space, at random moments, and then continues.

    python tests/support/deaths.py --kills 100 --full-disks 20

Each run must end with the same bytes as an undisturbed one: weights, optimizer, history.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data" / "digits.npz"

_SPEC = """
modelspec: 1
name: mortal
inputs: {image: {shape: [8, 8]}}
layers:
  - LSTM: {units: 8, dropout: 0.2, recurrent_dropout: 0.1}
  - BatchNormalization
  - Dropout: {rate: 0.3}
  - Dense: {units: 10, activation: softmax}
    name: digit
outputs: digit
losses: sparse_categorical_crossentropy
metrics: accuracy
optimizer: {Adam: {learning_rate: RATE}}
training:
  epochs: 8
  batch_size: 8
  validation_split: 0.2
  callbacks: [CALLBACKS]
"""
_STOPPING = "{EarlyStopping: {patience: 3, restore_best_weights: true}}"
_SCHEDULE = "{CosineDecay: {initial_learning_rate: 0.01, decay_steps: 900}}"
SPECS = {
    "schedule": _SPEC.replace("RATE", _SCHEDULE).replace("CALLBACKS", _STOPPING),
    # A plateau cannot follow a schedule, so there is a spec for each.
    "plateau": _SPEC.replace("RATE", "0.01").replace(
        "CALLBACKS", f"{_STOPPING}, {{ReduceLROnPlateau: {{patience: 1, min_delta: 0.5}}}}"
    ),
}

Disturbance = Callable[["subprocess.Popen[bytes]", Path], None]
"""Something that disturbs a process which trains into a folder."""


def command(kind: str, folder: Path) -> list[str]:
    """Write a spec, and return the command that trains it with a checkpoint every few steps."""
    spec = folder.with_suffix(".yaml")
    spec.write_text(SPECS[kind], encoding="utf-8")
    train = [sys.executable, "-m", "modelspec", "train", str(spec), "--data", str(DATA)]
    return [*train, "--run", str(folder), "--resume", "--checkpoint-minutes", "0.002"]


def start(kind: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Train in a separate process."""
    return subprocess.Popen(
        command(kind, folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def train(kind: str, folder: Path) -> float:
    """Train to the end; return the seconds from the first step on.

    Raises:
        AssertionError: Training did not end.
    """
    with start(kind, folder) as process:
        began = wait_for_run(process, folder)
        assert process.stderr is not None
        message = process.stderr.read().decode()
    assert process.returncode == 0, message
    return time.monotonic() - began


def wait_for_run(process: "subprocess.Popen[bytes]", folder: Path) -> float:
    while process.poll() is None and not _running(folder, process.pid):
        time.sleep(0.005)
    return time.monotonic()


def _running(folder: Path, pid: int) -> bool:
    """Return True where the process has begun to train, and so locked the folder."""
    try:
        return (folder / "lock").read_text(encoding="utf-8").strip() == str(pid)
    except OSError:
        return False


def fingerprint(folder: Path) -> tuple[list[dict[str, Any]], str]:
    """Return the history without its times, and the SHA-256 of the last checkpoint's variables."""
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    history = [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]
    last = max((folder / "checkpoints").glob("*.npz"))
    sha = hashlib.sha256(last.name.encode())
    with np.load(last) as stored:
        names = sorted(name for name in stored.files if name.startswith(("variable", "callback")))
        for name in names:
            sha.update(name.encode() + stored[name].tobytes())
    with zipfile.ZipFile(folder / "model.keras") as model:
        sha.update(model.read("model.weights.h5"))
    return history, sha.hexdigest()


def whole_files(folder: Path) -> None:
    """Read every file of the run to its end.

    Raises:
        Exception: A file is damaged; the type depends on its reader.
    """
    for checkpoint in (folder / "checkpoints").glob("epoch-*.npz"):
        with np.load(checkpoint) as stored:
            for name in stored.files:
                stored[name]
    for name in ("run.json", "history.jsonl"):
        if (folder / name).exists():
            for line in (folder / name).read_text(encoding="utf-8").split("\n\n"):
                [
                    json.loads(document)
                    for document in ([line] if name == "run.json" else line.splitlines())
                ]
    if (folder / "model.keras").exists():
        with zipfile.ZipFile(folder / "model.keras") as model:
            assert model.testzip() is None


def kill(after: float) -> Disturbance:
    """Send SIGKILL, some seconds after the first step."""

    def disturb(process: "subprocess.Popen[bytes]", folder: Path) -> None:
        wait_for_run(process, folder)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)

    return disturb


def fill_disk(after: float) -> Disturbance:
    """Let no file grow from some seconds after the first step on, as on a full disk."""

    def disturb(process: "subprocess.Popen[bytes]", folder: Path) -> None:
        wait_for_run(process, folder)
        time.sleep(after)
        if process.poll() is None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
        assert process.stderr is not None
        message = process.stderr.read().decode()
        code = process.wait()
        assert code in (0, 1), (code, message)
        assert "Traceback" not in message, message
        if code == 1:
            assert "File too large" in message or "No space left" in message, message
            whole_files(folder)

    return disturb


def train_disturbed(kind: str, folder: Path, disturbances: list[Disturbance]) -> int:
    """Disturb a run several times, one after the other, and train it to its end.

    Returns:
        The number of disturbances during training.
    """
    hits = 0
    for disturb in disturbances:
        with start(kind, folder) as process:
            disturb(process, folder)
        hits += process.returncode != 0
        whole_files(folder)
    train(kind, folder)
    return hits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--full-disks", type=int, default=20)
    parser.add_argument("--per-run", type=int, default=4, help="disturbances of one run")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as scratch:
        for make, wanted in ((kill, options.kills), (fill_disk, options.full_disks)):
            hits = equal = runs = 0
            while hits < wanted:
                kind = list(SPECS)[runs % len(SPECS)]
                whole = Path(scratch) / kind
                if not whole.exists():
                    seconds = train(kind, whole)
                folder = Path(scratch) / f"{make.__name__}-{runs}"
                count = min(options.per_run, wanted - hits)
                new = train_disturbed(
                    kind, folder, [make(chance.uniform(0, seconds)) for _ in range(count)]
                )
                hits += new
                same = fingerprint(folder) == fingerprint(whole)
                equal += new * same
                runs += 1
                print(f"{make.__name__}: {hits} in {runs} runs, {equal} equal", flush=True)
                if not same:
                    sys.exit(f"{folder} differs: seed {options.seed}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()

"""Runs of one and of several workers, and their differences."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py
import numpy as np

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of modelspec."""
    return subprocess.run(
        [sys.executable, "-m", "modelspec", *arguments],
        env=os.environ | QUIET,
        capture_output=True,
        text=True,
        check=False,
    )


def train_arguments(spec: Path, data: Path, run: Path, *more: str) -> list[str]:
    """Return ``train`` without XLA, which several workers do not have."""
    paths = [str(spec), "--data", str(data), "--run", str(run)]
    return ["train", *paths, "--quiet", "--set", "training.jit=false", *more]


def command(spec: Path, data: Path, run: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "modelspec", *train_arguments(spec, data, run, *more)]


def train(
    spec: Path, data: Path, run: Path, *more: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(spec, data, run, *more),
        env={**os.environ, **QUIET, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def history(run: Path) -> list[dict[str, Any]]:
    """Return the epochs, without their times."""
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    records = map(json.loads, lines)
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def weights(run: Path) -> dict[str, Any]:
    """Return every array of ``model.keras``: weights, and the optimizer's variables."""
    arrays: dict[str, Any] = {}
    with ZipFile(run / "model.keras") as archive:
        stored = archive.read("model.weights.h5")
    with h5py.File(BytesIO(stored), "r") as file:
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return arrays


def distance(one: Path, other: Path, *, optimizer: bool | None = None) -> float:
    """Return the largest difference of a weight, relative to the largest of its array.

    With ``optimizer``, only the optimizer's variables; where it is False, only the others.
    """
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    return max(
        float(np.max(np.abs(ours[name] - theirs[name]), initial=0.0))
        / max(float(np.max(np.abs(ours[name]), initial=0.0)), 1e-3)
        for name in ours
        if optimizer in (None, name.startswith("optimizer/"))
    )


def free_addresses(*hosts: str) -> list[str]:
    """Return an unused address HOST:PORT on each host."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in hosts]
        pairs = list(zip(hosts, sockets, strict=True))
        for host, single in pairs:
            single.bind((host, 0))
        return [
            f"{host}:{single.getsockname()[1]}" for host, single in zip(hosts, sockets, strict=True)
        ]

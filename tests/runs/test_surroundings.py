"""The environment of a run: its machine, parameters, standard input, and paths of any bytes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

import modelspec as ms

pytestmark = [pytest.mark.keras, pytest.mark.process, pytest.mark.slow]

DECIDING = ("TF_NUM_INTRAOP_THREADS", "XLA_FLAGS", "TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS")
SPEC = """
modelspec: 1
params: {width: 3, rate: 0.01, rows: 8}
inputs:
  x: {shape: [2]}
layers:
  - Dense: {units: "${width}"}
    name: first
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
optimizer: {SGD: {learning_rate: "${rate * 2}"}}
training: {epochs: 1, batch_size: "${rows}"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 2)).astype("f")
    np.savez(tmp_path / "d.npz", x=x, y=x[:, 0])
    (tmp_path / "s.yaml").write_text(SPEC, encoding="utf-8")
    return tmp_path


def modelspec(
    folder: Path,
    *arguments: str | bytes,
    code: int = 0,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> "subprocess.CompletedProcess[bytes]":
    done = subprocess.run(
        [sys.executable, "-m", "modelspec", *arguments],
        cwd=folder,
        capture_output=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k not in DECIDING} | dict(variables),
    )
    assert done.returncode == code, done.stderr.decode(errors="replace")
    return done


def test_the_spec_of_a_run_says_what_a_parameter_changes(folder: Path) -> None:
    def train(spec: str, run: str, *changes: str) -> None:
        source = ms.load(folder / spec, changes)
        ms.train(source, folder / "d.npz", run=folder / run)

    train("s.yaml", "a")
    train("a/spec.yaml", "b")
    for name in ("spec.yaml", "checkpoints/epoch-000001.npz"):
        [one, other] = [(folder / run / name).read_bytes() for run in ("a", "b")]
        assert name != "spec.yaml" or one == other
    changes = ("params.width=50", "params.rate=0.5", "params.rows=32")
    train("a/spec.yaml", "c", *changes)
    train("s.yaml", "d", *changes)
    logs = [json.loads((folder / run / "history.jsonl").read_bytes()) for run in "abcd"]
    record = json.loads((folder / "c" / "run.json").read_bytes())
    assert record["parameters"] == {"width": 50, "rate": 0.5, "rows": 32}
    assert logs[0]["loss"] == logs[1]["loss"]
    assert logs[2]["loss"] == logs[3]["loss"] != logs[0]["loss"]
    with np.load(folder / "c" / "checkpoints" / "epoch-000001.npz") as stored:
        assert stored["variable/0"].shape == (2, 50)
    modelspec(
        *(folder, "train", "c/spec.yaml", "--data", "d.npz", "--run", "c"),
        *("--resume", "--epochs", "2", "--quiet"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("TF_ENABLE_ONEDNN_OPTS", "0", marks=pytest.mark.sweep),
        pytest.param("TF_NUM_INTRAOP_THREADS", "1", marks=pytest.mark.sweep),
        pytest.param("XLA_FLAGS", "", marks=pytest.mark.sweep),
    ],
)
def test_another_machine_is_told_of(folder: Path, name: str, value: str) -> None:
    train = ("train", "s.yaml", "--data", "d.npz", "--run", "a", "--quiet")
    modelspec(folder, *train)
    record = json.loads((folder / "a" / "run.json").read_bytes())
    assert record["machine"]["processors"] == len(os.sched_getaffinity(0))
    done = modelspec(folder, *train, "--resume", "--epochs", "2", variables={name: value})
    assert f"{name} was not set and is {value}" in done.stderr.decode()
    done = modelspec(folder, *train, "--resume", "--epochs", "3", variables={name: value})
    assert b"last digits" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        *(
            pytest.param(*case, marks=pytest.mark.sweep)
            for case in (
                ("TF_XLA_FLAGS", "--nonsense", "Unknown flag in TF_XLA_FLAGS: --nonsense"),
                ("XLA_FLAGS", "--nonsense", "Unknown flag in XLA_FLAGS: --nonsense"),
                ("XLA_FLAGS", "no-file", 'Could not open file "no-file"'),
                ("TF_XLA_FLAGS", "--tf_xla_auto_jit=x", "an option has a wrong value"),
                ("XLA_FLAGS", "--xla_force_host_platform_device_count=x", "a wrong value"),
            )
        ),
    ],
)
def test_options_of_xla_that_end_the_process_are_told(
    folder: Path, name: str, value: str, reason: str
) -> None:
    for command in ("train s.yaml --data d.npz --run a", "check s.yaml"):
        done = modelspec(folder, *command.split(), code=1, variables={name: value})
        said = done.stderr.decode()
        assert f"error: TensorFlow cannot start with {name}={value}: " in said
        assert reason in said
    assert not (folder / "a").exists()


@pytest.mark.sweep
def test_options_of_xla_that_it_knows_are_tried_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    variables = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    for run in "ab":
        train = f"train s.yaml --data d.npz --run {run}"
        modelspec(folder, *train.split(), variables=variables)
    assert len(list((folder / "cache" / "modelspec" / "xla-flags").iterdir())) == 1


@pytest.mark.parametrize("command", ["summary -", "check -", "evaluate - --data d.npz"])
def test_standard_input_that_is_closed(folder: Path, command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m modelspec {command} <&-"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "standard input is closed" in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        b"a\x80 b",
        pytest.param(b"b\xff", marks=pytest.mark.sweep),
        pytest.param(b"\xe9t\xe9", marks=pytest.mark.sweep),
    ],
)
@pytest.mark.sweep
def test_paths_of_any_bytes(folder: Path, name: bytes) -> None:
    data = ("--data", "d.npz")
    done = modelspec(folder, "train", "s.yaml", *data, "--run", name, "--quiet")
    assert done.stdout == name + b"\n"
    for form in ("csv", "json", "table"):
        modelspec(folder, "runs", ".", "--format", form).stdout.decode()
    done = modelspec(folder, "predict", name, *data, "-o", name + b".npz")
    done.stderr.decode()
    modelspec(folder, "evaluate", name, *data)
    modelspec(folder, "build", "s.yaml", "-o", name + b".keras")
    modelspec(folder, "train", "s.yaml", *data, "--run", name, "--resume", "--epochs", "2")

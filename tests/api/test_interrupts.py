"""Ctrl-C, as the command line answers it: in a process of its own."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deaths import start, wait_for_run, whole_files
from ending import PATIENCE

from modelspec.api.interrupts import Interrupts

pytestmark = [pytest.mark.keras, pytest.mark.process]

ENDLESS = """
modelspec: 1
name: endless
inputs: {x: {shape: [1000000, 1]}}
layers:
  - SimpleRNN: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 100, batch_size: 1, jit: false}
"""
"""A step of a minute on any machine: the million steps of a sequence follow one another."""


def test_ctrl_c_keeps_the_step_says_how_to_go_on_and_leaves_with_130(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with start("plateau", folder) as process:
        wait_for_run(process, folder)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        message = process.stderr.read().decode()
    assert process.returncode == 130, message
    assert "finishing this step" in message
    assert f"--run {folder} --resume" in message
    assert "Traceback" not in message
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert list((folder / "checkpoints").glob("epoch-*.npz"))
    whole_files(folder)


@pytest.mark.sweep
def test_a_second_ctrl_c_waits_for_no_step(tmp_path: Path) -> None:
    (tmp_path / "endless.yaml").write_text(ENDLESS, encoding="utf-8")
    np.savez(tmp_path / "x.npz", x=np.ones((1, 10**6, 1), "f"), y=np.ones((1, 1), "f"))
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "modelspec", "train", str(tmp_path / "endless.yaml")]
    command += ["--data", str(tmp_path / "x.npz"), "--run", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        wait_for_run(process, folder)
        # By then the graph is made, and the first step has begun.
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE)
    assert process.returncode == 130
    # A step that had been waited for would have been kept.
    assert not list(folder.glob("checkpoints/*"))


class _Interrupted(io.RawIOBase):
    """A stream to which Ctrl-C comes while something is written to it."""

    def writable(self) -> bool:
        return True

    def write(self, text: Any) -> int:
        signal.raise_signal(signal.SIGINT)
        return len(text)


def test_ctrl_c_inside_of_a_write_to_the_same_stream() -> None:
    stream = io.BufferedWriter(_Interrupted())

    def tell() -> None:
        stream.write(b"finishing this step")
        stream.flush()

    with Interrupts(tell) as interrupts:
        stream.write(b"epoch 1")
        stream.flush()
    assert interrupts.requested

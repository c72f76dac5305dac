"""Ctrl-C, as the command line answers it: in a separate process."""

import importlib.util
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deaths import command, start, wait_for_run, whole_files
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
def test_a_closed_terminal_saves_the_step(tmp_path: Path) -> None:
    """The system and the shell send SIGHUP one after the other, and nothing can be written."""
    folder = tmp_path / "run"
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        command("plateau", folder),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        wait_for_run(process, folder)
        time.sleep(0.5)
        os.close(controller)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)
        process.wait(timeout=PATIENCE)
    assert process.returncode == 130
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert list((folder / "checkpoints").glob("epoch-*.npz"))
    whole_files(folder)


def test_two_hangups_are_one_request() -> None:
    with Interrupts(lambda: None) as interrupts:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
    assert interrupts.requested


def test_ignored_signals_stay_ignored() -> None:
    """As with nohup, and in the background of a shell."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts(lambda: None) as interrupts:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupts.requested
            signal.raise_signal(signal.SIGTERM)
            assert interrupts.requested
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.sweep
def test_a_second_ctrl_c_waits_for_no_step(tmp_path: Path) -> None:
    (tmp_path / "endless.yaml").write_text(ENDLESS, encoding="utf-8")
    np.savez(tmp_path / "x.npz", x=np.ones((1, 10**6, 1), "f"), y=np.ones((1, 1), "f"))
    folder = tmp_path / "run"
    endless = [sys.executable, "-m", "modelspec", "train", str(tmp_path / "endless.yaml")]
    endless += ["--data", str(tmp_path / "x.npz"), "--run", str(folder)]
    with subprocess.Popen(endless, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
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


@pytest.mark.sweep
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_ctrl_c_inside_of_an_import(tmp_path: Path) -> None:
    """A module in C of TensorFlow then raises ImportError: initialization failed."""
    package = Path(str(importlib.util.find_spec("tensorflow").origin)).parent  # type: ignore[union-attr]
    module = package / "python" / "profiler" / "internal" / "_pywrap_profiler_plugin.so"
    assert module.exists()
    (tmp_path / "spec.yaml").write_text(ENDLESS, encoding="utf-8")
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(module)]
    strace += ["-e", "inject=openat:signal=SIGINT:when=1"]
    done = subprocess.run(
        [*strace, sys.executable, "-m", "modelspec", "build", "spec.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.strip().endswith("interrupted")


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

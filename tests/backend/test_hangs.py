"""Workers whose process answers, while the thread that trains waits forever or works for long."""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from worker_runs import QUIET, command, free_addresses, history

from modelspec.cluster.cluster import config_text

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.sweep]

LIMIT = 60.0
"""Seconds in which all workers end after one began to hang."""

# Worker 1 stops in the second epoch of the first process that comes so far, in a file of its own.
PLUGIN = '''\
import json
import os
import pathlib
import threading
import time

import keras
import tensorflow as tf

HERE = pathlib.Path(__file__).parent


def stop(place):
    """Wait where the test says so."""
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    how = (HERE / "how.txt").read_text()
    if index != 1 or place not in how or (HERE / "stopped.txt").exists():
        return
    (HERE / "stopped.txt").write_text("")
    if "busy" in how:
        end = time.monotonic() + 55
        while time.monotonic() < end:
            pass
    elif "write" in how:
        for _ in range(550):
            with open(HERE / "slow.bin", "wb") as file:
                file.write(bytes(2**20))
                os.fsync(file.fileno())
            time.sleep(0.1)
    else:
        threading.Event().wait()


class Stopping(keras.callbacks.Callback):
    """Stop after the first epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            stop("callback")


@keras.saving.register_keras_serializable(package="own")
class Passing(keras.layers.Layer):
    """Pass its inputs on, and stop in the twentieth step."""

    def build(self, shape):
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.steps.assign_add(1.0)

        def passed(values, steps):
            if steps == 20:
                stop("step")
            return values

        outputs = tf.py_function(passed, [inputs, self.steps.value], inputs.dtype)
        outputs.set_shape(inputs.shape)
        return outputs

    def compute_output_shape(self, shape):
        return shape
'''
SPEC = """\
modelspec: 1
inputs: {x: {shape: [6]}}
layers:
  - Dense: {units: 8}
  LAYER
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 4, batch_size: 10, jit: false, callbacks: [Stopping]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(SPEC.replace("  LAYER\n", ""), encoding="utf-8")
    random = np.random.default_rng(0)
    x = random.normal(size=(100, 6)).astype("f")
    np.savez(tmp_path / "data.npz", x=x, y=x[:, :1])
    return tmp_path


def start(folder: Path, how: str, *more: str, **environment: str) -> subprocess.Popen[str]:
    (folder / "how.txt").write_text(how)
    words = ("--plugin", str(folder / "parts.py"), *more)
    return subprocess.Popen(
        command(folder / "spec.yaml", folder / "data.npz", folder / "run", *words),
        env=os.environ | QUIET | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def seconds_to_end(
    folder: Path, *processes: "subprocess.Popen[str]", until: str = ""
) -> tuple[float, list[str]]:
    """The seconds from the moment where a worker stopped, and what the processes said.

    They go to the end of the processes, or to the line in which the first says ``until``.
    """
    try:
        while not (folder / "stopped.txt").exists():
            assert processes[0].poll() is None
            time.sleep(0.01)
        began, line = time.monotonic(), ""
        if until and processes[0].stderr is not None:
            line = next(line for line in processes[0].stderr if until in line)
            seconds = time.monotonic() - began
        said = [process.communicate()[1] for process in processes]
        return (seconds if until else time.monotonic() - began), [line + said[0], *said[1:]]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.parametrize("place", ["callback", "step"])
def test_a_worker_that_hangs_is_started_again(folder: Path, place: str) -> None:
    if place == "step":
        (folder / "spec.yaml").write_text(SPEC.replace("LAYER", "- Passing"), encoding="utf-8")
    process = start(folder, place, "--workers", "2", "--restarts", "1")
    seconds, [said] = seconds_to_end(folder, process, until="all workers were ended")
    assert process.returncode == 0, said
    assert "worker 1 did nothing, while the others waited; all workers were ended" in said
    assert "continuing from the last checkpoint" in said
    assert len(history(folder / "run")) == 4
    assert seconds < LIMIT


def test_a_worker_that_hangs_is_named_without_a_leader(folder: Path) -> None:
    addresses = free_addresses("127.0.0.1", "127.0.0.1")
    workers = [
        start(folder, "callback", TF_CONFIG=config_text(addresses, index)) for index in range(2)
    ]
    seconds, said = seconds_to_end(folder, *workers)
    assert [worker.returncode for worker in workers] == [1, 1]
    sentence = f"worker 1 ({addresses[1]}) did nothing for 35 seconds, while the others waited"
    assert all(sentence in text for text in said), said
    assert seconds < LIMIT
    assert json.loads((folder / "run" / "run.json").read_text())["status"] == "failed"
    assert len(history(folder / "run")) >= 1


@pytest.mark.parametrize("work", ["busy", "write"])
def test_a_worker_that_works_for_long_does_not_hang(folder: Path, work: str) -> None:
    process = start(folder, f"callback {work}", "--workers", "2")
    seconds, [said] = seconds_to_end(folder, process)
    assert (process.returncode, said) == (0, "")
    assert seconds > 50

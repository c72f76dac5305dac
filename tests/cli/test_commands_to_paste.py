"""Commands in messages repeat what they need, so that they work as they are pasted."""

import shlex
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from modelspec.catalog.plugins import using
from modelspec.cli import INTERRUPTED, _run

pytestmark = pytest.mark.keras

PLUGIN = '''
import keras

@keras.saving.register_keras_serializable(package="paste")
class Doubled(keras.layers.Layer):
    """Twice what comes in."""

    def call(self, inputs):
        return 2 * inputs


class Stopping(keras.callbacks.Callback):
    """Stop as Ctrl-C does."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt
'''
SPEC = """
modelspec: 1
name: paste
inputs: {x: {shape: [2]}}
layers:
  - Doubled
  - {Dense: {units: 1}, name: y}
outputs: y
losses: mse
training: {epochs: 3, batch_size: 8}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec, data and a plugin, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "modelspec.cli.train.set_threads", lambda _: None
    )  # TensorFlow runs already
    (tmp_path / "own parts.py").write_text(PLUGIN)
    (tmp_path / "s.yaml").write_text(SPEC)
    np.savez(tmp_path / "d.npz", x=np.ones((16, 2), "f"), y=np.ones((16, 1), "f"))
    return tmp_path


TRAIN = ("train", "s.yaml", "--data", "d.npz", "--run", "r", "--plugin", "own parts.py")


def run(*words: str) -> int:
    """The exit code of a command in this process."""
    with using(()), patch.object(sys, "argv", ["modelspec", *words]):
        return _run()


@pytest.mark.usefixtures("folder")
def test_next_commands_name_plugins(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(*TRAIN, "--set", "training.epochs=1") == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if " modelspec " in line]
    assert [shlex.split(line)[-2:] for line in lines] == [["--plugin", "own parts.py"]] * 3
    assert run(*shlex.split(lines[0].removeprefix("next:"))[1:]) == 0


@pytest.mark.usefixtures("folder")
def test_an_interrupted_run_names_the_command_that_continues_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    options = ["--epochs", "2", "--quiet", "--set", "training.callbacks=[Stopping]"]
    assert run(*TRAIN, *options) == INTERRUPTED
    [told] = [line for line in capfd.readouterr().err.splitlines() if "interrupted" in line]
    words = shlex.split(told.partition("continue with ")[2])
    again = ["--plugin", "own parts.py", "--run", "r", "--resume"]
    assert words == ["modelspec", "train", "s.yaml", "--data", "d.npz", *options, *again]

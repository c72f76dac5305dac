"""The end of a run, the epoch of its model, and overrides: in ``run.json`` and on the screen."""

import io
import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from listeners import StopAfter
from rich.console import Console

import modelspec
from modelspec.api.resume import takes_more_epochs
from modelspec.report.finish import print_finish

pytestmark = pytest.mark.keras

# The weight goes from 0 to 2 on the training data; in validation, 1 is right. So val_loss falls
# until epoch 2, where the weight is 1.02, and rises after it.
SPEC = """
modelspec: 1
params: {rate: 0.15}
inputs: {x: {shape: [1]}}
layers: [{Dense: {units: 1, use_bias: false, kernel_initializer: zeros}, name: y}]
outputs: y
losses: mse
optimizer: {SGD: {learning_rate: "${rate}"}}
training: {epochs: 6, batch_size: 8, jit: false}
"""
X = np.array([[1], [-1]] * 4, "f")
DATA = {"x": X, "y": 2 * X}
HELD = {"x": X, "y": X}
STOP = "EarlyStopping: {patience: 2, restore_best_weights: true}"
AT_LOSS = "EarlyStopping: {monitor: loss, patience: 1, min_delta: 9}"
AT_VAL_LOSS = "EarlyStopping: {patience: 2}"
RESTORE_AT_LOSS = (
    "EarlyStopping: {monitor: loss, patience: 3, min_delta: 9, restore_best_weights: true}"
)


def train(folder: Path, *overrides: str, **options: Any) -> modelspec.Run:
    source = modelspec.loads(SPEC, overrides)
    return modelspec.train(source, DATA, validation=HELD, run=folder, **options)


def interrupt(folder: Path, epoch: int, *overrides: str, **options: Any) -> modelspec.Run:
    with pytest.raises(KeyboardInterrupt):
        train(folder, *overrides, listener=StopAfter(epoch), **options)
    return modelspec.Run.open(folder)


def loss_of_model(run: modelspec.Run) -> float:
    """Return the loss of the saved model in validation, by plain Keras."""
    model = keras.saving.load_model(run.model_path)
    return float(np.mean((np.asarray(model({"x": X})) - X) ** 2))


def said(run: modelspec.Run) -> list[str]:
    console = Console(file=io.StringIO(), width=200)
    print_finish(console, run, 0)
    assert isinstance(console.file, io.StringIO)
    return [line for line in console.file.getvalue().splitlines() if "model.keras holds" in line]


ON_VAL_LOSS, ON_LOSS = "EarlyStopping on val_loss", "EarlyStopping on loss"


@pytest.mark.parametrize(
    ("callbacks", "stopped_by", "done", "epoch"),
    [
        ("", "", 6, 6),
        (STOP, ON_VAL_LOSS, 4, 2),
        ("EarlyStopping: {patience: 1}", ON_VAL_LOSS, 3, 3),
        (f"{AT_LOSS}, EarlyStopping: {{patience: 9}}", ON_LOSS, 2, 2),
        ("EarlyStopping: {patience: 9, restore_best_weights: true}", "", 6, 2),
        ("EarlyStopping: {start_from_epoch: 9, restore_best_weights: true}", "", 6, 6),
        (f"{STOP}, {AT_LOSS}", ON_LOSS, 2, 2),
        (
            f"{AT_VAL_LOSS}, {RESTORE_AT_LOSS}",
            f"{ON_VAL_LOSS} and {ON_LOSS}",
            4,
            1,
        ),
    ],
)
def test_the_end_and_the_epoch_of_the_model(
    callbacks: str, stopped_by: str, done: int, epoch: int, tmp_path: Path
) -> None:
    listed = ", ".join(
        f"{{{callback}}}" for callback in re.split(", (?=Early)", callbacks) if callback
    )
    run = train(tmp_path / "run", f"training.callbacks=[{listed}]")
    record = run.record
    reason = f"stopped early by {stopped_by}" if stopped_by else "all epochs"
    assert (record["end_reason"], len(run.history), record["model_epoch"]) == (reason, done, epoch)
    assert loss_of_model(run) == pytest.approx(run.history[epoch - 1]["val_loss"], rel=1e-5)
    why = f"{reason}, after {done} of 6" if stopped_by else "ended after all epochs"
    which = "the last" if epoch == done else "which a callback restored"
    assert said(run) == [f"{why}; model.keras holds epoch {epoch}, {which}"]
    assert takes_more_epochs(run) == (not stopped_by)


@pytest.mark.parametrize("swap", ["true", "false"])
def test_averages_that_replace_the_weights_end_a_run(swap: str, tmp_path: Path) -> None:
    swaps = f"training.callbacks=[{{SwapEMAWeights: {{swap_on_epoch: {swap}}}}}]"
    averaging = "optimizer={SGD: {learning_rate: 0.1, use_ema: true}}"
    run = train(tmp_path / "run", swaps, averaging, "training.epochs=1")
    assert takes_more_epochs(run) == (swap != "true")


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_an_interrupted_run_says_so_until_it_goes_on(epoch: int, tmp_path: Path) -> None:
    callbacks = f"training.callbacks=[{{{STOP}}}]"
    run = interrupt(tmp_path / "run", epoch, callbacks)
    assert run.record["end_reason"] == "interrupted"
    assert "model_epoch" not in run.record
    run = train(tmp_path / "run", callbacks, resume=True)
    assert run.record["end_reason"] == "stopped early by EarlyStopping on val_loss"
    assert (len(run.history), run.record["model_epoch"]) == (4, 2)
    again = train(tmp_path / "run", callbacks, "training.epochs=8", resume=True)
    assert again.record["end_reason"] == "stopped early by EarlyStopping on val_loss"
    assert loss_of_model(again) == pytest.approx(again.history[1]["val_loss"], rel=1e-5)


def test_a_model_of_before_keeps_its_epoch(tmp_path: Path) -> None:
    train(tmp_path / "run", "training.epochs=2")
    run = interrupt(tmp_path / "run", 4, "training.epochs=6", resume=True)
    assert (run.record["end_reason"], run.record["model_epoch"]) == ("interrupted", 2)
    assert loss_of_model(run) == pytest.approx(run.history[1]["val_loss"], rel=1e-5)


def at_end(run: modelspec.Run) -> modelspec.ModelSpec:
    return modelspec.load(run.spec_path)


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        ((), (), []),
        (("params.rate=1e-1", "training.seed=3"), None, ["params.rate=1e-1", "training.seed=3"]),
        (
            ("training.epochs=2", "params.rate=0.1"),
            ("params.rate=0.1", "training.epochs=4"),
            ["training.epochs=2", "params.rate=0.1", "training.epochs=4"],
        ),
        (("params.rate=0.1", "params.rate=0.2"), (), ["params.rate=0.1", "params.rate=0.2"]),
    ],
)
def test_overrides_are_kept_as_they_were_written(
    first: tuple[str, ...], then: tuple[str, ...] | None, kept: list[str], tmp_path: Path
) -> None:
    run = train(tmp_path / "run", *first)
    assert run.record["overrides"] == list(first)
    source = at_end(run) if not then else modelspec.loads(SPEC, then)
    modelspec.train(source, DATA, validation=HELD, run=run.path, resume=True)
    assert run.record["overrides"] == kept
    # They make the same spec of the text that the run started with.
    again, own = (made.require().spec for made in (modelspec.loads(SPEC, kept), at_end(run)))
    assert again.params == own.params
    assert again.training.epochs == own.training.epochs
    assert again.training.seed == own.training.seed


@pytest.mark.parametrize(
    "name",
    [
        *("seconds", "end_reason"),
        *(
            pytest.param(name, marks=pytest.mark.sweep)
            for name in ("resumed", "overrides", "machine")
        ),
    ],
)
def test_a_value_of_null_is_a_value_that_is_missing(name: str, tmp_path: Path) -> None:
    run = train(tmp_path / "run", "training.epochs=1")
    file = run.path / "run.json"
    file.write_text(json.dumps({**run.record, name: None}), encoding="utf-8")
    assert name not in run.record
    again = train(run.path, "training.epochs=2", resume=True)
    assert (again.status, len(again.history), len(again.record["resumed"])) == ("completed", 2, 1)

"""A run that was interrupted ends exactly like one that was not."""

import json
import os
import random
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listeners import Recorder, StopBefore
from small_digits import DATA, digits_spec, end
from warm_command import WarmCommand

import modelspec
from modelspec.runs.folder import new_folder
from modelspec.storage.atomic import replacing

pytestmark = [pytest.mark.keras, pytest.mark.process, pytest.mark.slow]

SPEC = digits_spec(
    "resumed",
    """
  - LSTM: {units: 8, dropout: 0.2}
  - BatchNormalization
  - Dropout: {rate: 0.3}
""",
    """
training:
  epochs: 5
  batch_size: 64
  validation_split: 0.2
  callbacks:
    - EarlyStopping: {patience: 3, restore_best_weights: true}
    - ReduceLROnPlateau: {patience: 1, min_delta: 10.0}
""",
)


LIGHT = "layers.0=Flatten"
"""A spec for tests in which the layers do not matter: an LSTM compiles longer than it trains."""


def assert_same(one: modelspec.Run, other: modelspec.Run) -> None:
    assert end(one) == end(other)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> modelspec.Run:
    spec = modelspec.loads(SPEC)
    return modelspec.train(spec, DATA, run=tmp_path_factory.mktemp("runs") / "whole")


@pytest.mark.parametrize("epochs", [3, pytest.param(1, marks=pytest.mark.sweep)])
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    whole: modelspec.Run, tmp_path: Path, epochs: int
) -> None:
    spec = modelspec.loads(SPEC)
    with pytest.raises(KeyboardInterrupt):
        modelspec.train(spec, DATA, run=tmp_path, listener=StopBefore(epochs + 1))
    cut = modelspec.Run.open(tmp_path)
    assert cut.status == "interrupted"
    assert len(cut.history) == epochs
    run = modelspec.train(spec, DATA, run=tmp_path, resume=True)
    assert run.status == "completed"
    assert_same(run, whole)


@pytest.mark.parametrize("epochs", [3, pytest.param(1, marks=pytest.mark.sweep)])
def test_an_interrupted_run_is_judged_by_its_last_checkpoint(tmp_path: Path, epochs: int) -> None:
    """As a run of so many epochs is, which was left alone."""
    spec = modelspec.loads(SPEC, [LIGHT, "training.callbacks=[]"])
    with pytest.raises(KeyboardInterrupt):
        modelspec.train(spec, DATA, run=tmp_path / "cut", listener=StopBefore(epochs + 1))
    # Short epochs share a checkpoint.
    [*_, checkpoint] = sorted((tmp_path / "cut" / "checkpoints").iterdir())
    kept = int(checkpoint.stem.removeprefix("epoch-"))
    shorter = modelspec.loads(SPEC, [LIGHT, "training.callbacks=[]", f"training.epochs={kept}"])
    modelspec.train(shorter, DATA, run=tmp_path / "left")
    notes: list[str] = []
    cut, left = (modelspec.open_target(tmp_path / name) for name in ("cut", "left"))
    assert modelspec.evaluate(cut, DATA, say=notes.append) == modelspec.evaluate(left, DATA)
    assert any(f"checkpoint, after {kept} epochs" in note for note in notes)
    predictions = (modelspec.predict(target, DATA).arrays for target in (cut, left))
    for one, other in zip(*(arrays.values() for arrays in predictions), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("damage", [b"", b"not an archive", None])
def test_without_a_readable_checkpoint_there_is_nothing_to_judge(
    tmp_path: Path, damage: bytes | None
) -> None:
    spec = modelspec.loads(SPEC, [LIGHT])
    with pytest.raises(KeyboardInterrupt):
        modelspec.train(spec, DATA, run=tmp_path, listener=StopBefore(2))
    for path in (tmp_path / "checkpoints").iterdir():
        path.unlink() if damage is None else path.write_bytes(damage)
    reason = "no checkpoint" if damage is None else "cannot be read"
    with pytest.raises(modelspec.RunError, match=reason):
        modelspec.evaluate(modelspec.open_target(tmp_path), DATA)


def test_a_killed_run_ends_as_if_it_had_not_been(
    whole: modelspec.Run, warm: WarmCommand, tmp_path: Path
) -> None:
    (tmp_path / "s.yaml").write_text(SPEC, encoding="utf-8")
    folder = tmp_path / "run"
    command = ("train", str(tmp_path / "s.yaml"), "--data", str(DATA), "--run", str(folder))
    process = warm.start(*command, folder=Path.cwd())
    warm.wait_for(lambda _: (folder / "history.jsonl").exists())
    os.kill(process, signal.SIGKILL)
    assert warm.end().code == -signal.SIGKILL
    assert json.loads((folder / "run.json").read_text())["status"] == "running"
    run = modelspec.train(modelspec.loads(SPEC), DATA, run=folder, resume=True)
    assert_same(run, whole)


@pytest.mark.sweep
def test_a_layer_that_draws_with_python_goes_on_as_it_began(tmp_path: Path) -> None:
    image = np.random.default_rng(0).uniform(0, 255, (16, 8, 8, 3)).astype("f")
    spec = modelspec.loads(
        "modelspec: 1\nname: drawn\ninputs: {image: {shape: [8, 8, 3]}}\n"
        "layers: [AugMix, Rescaling: {scale: 0.01}, Flatten, Dense: {units: 2}]\n"
        "outputs: dense\n"
        "losses: {SparseCategoricalCrossentropy: {from_logits: true}}\n"
        "training: {epochs: 3, batch_size: 8}\n"
    )
    data = {"image": image, "dense": np.arange(16) % 2}
    left_alone = modelspec.train(spec, data, run=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        modelspec.train(spec, data, run=tmp_path / "cut", listener=StopBefore(2))
    random.seed(7)
    assert_same(modelspec.train(spec, data, run=tmp_path / "cut", resume=True), left_alone)


def test_a_finished_run_can_be_given_more_epochs(whole: modelspec.Run, tmp_path: Path) -> None:
    modelspec.train(modelspec.loads(SPEC, ["training.epochs=2"]), DATA, run=tmp_path)
    run = modelspec.train(modelspec.loads(SPEC), DATA, run=tmp_path, resume=True)
    assert_same(run, whole)


def test_only_the_same_spec_and_data_go_on(tmp_path: Path) -> None:
    spec = modelspec.loads(SPEC, [LIGHT, "training.epochs=1"])
    modelspec.train(spec, DATA, run=tmp_path)
    with pytest.raises(modelspec.RunError, match="already contains a run"):
        modelspec.train(spec, DATA, run=tmp_path)
    other = modelspec.loads(SPEC, [LIGHT, "training.batch_size=32"])
    with pytest.raises(modelspec.RunError, match="the spec differs"):
        modelspec.train(other, DATA, run=tmp_path, resume=True)
    with np.load(DATA) as stored:
        arrays: dict[str, Any] = dict(stored)
    arrays["image_train"] = arrays["image_train"][:, ::-1]
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(modelspec.RunError, match="the data differs"):
        modelspec.train(spec, tmp_path / "other.npz", run=tmp_path, resume=True)
    with pytest.raises(modelspec.RunError, match="the validation differs"):
        modelspec.train(spec, DATA, validation=DATA, run=tmp_path, resume=True)


def test_a_resume_keeps_the_epochs_that_the_run_was_given(tmp_path: Path) -> None:
    asked = modelspec.loads(SPEC, ["training.epochs=3"])
    with pytest.raises(KeyboardInterrupt):
        modelspec.train(asked, DATA, run=tmp_path, listener=StopBefore(3))
    fewer = SPEC.replace("epochs: 5", "epochs: 1")
    option = modelspec.loads(SPEC, ["training.epochs=1"])
    with pytest.raises(modelspec.RunError, match="already has 2 epochs, more than 1"):
        modelspec.train(option, DATA, run=tmp_path, resume=True)
    run = modelspec.train(modelspec.loads(fewer), DATA, run=tmp_path, resume=True)
    assert (len(run.history), run.record["epochs"], run.status) == (3, 3, "completed")
    assert run.record["seconds"] > sum(line["seconds"] for line in run.history)


def test_a_spec_that_somebody_wrote_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC + "# mine\n")
    with pytest.raises(modelspec.RunError, match=r"spec\.yaml does not belong to a run"):
        modelspec.train(modelspec.load(tmp_path / "spec.yaml"), DATA, run=tmp_path)
    assert (tmp_path / "spec.yaml").read_text() == SPEC + "# mine\n"


def test_runs_of_one_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    first, second = new_folder("mine", now), new_folder("mine", now)
    assert first.is_dir()
    assert second == first.with_name(f"{first.name}-2")


def test_a_link_stays_and_a_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with replacing(tmp_path / "link") as aside:
        aside.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"), replacing(tmp_path / "pipe"):
        pass


@pytest.mark.filterwarnings("ignore:.*conditioned on metric")
def test_what_needs_validation_and_has_none_is_told_of(tmp_path: Path) -> None:
    listener = Recorder()
    options = [LIGHT, "training.validation_split=0", "training.epochs=1"]
    modelspec.train(modelspec.loads(SPEC, options), DATA, run=tmp_path, listener=listener)
    assert any(
        "no val_loss, so EarlyStopping has no effect" in warning for warning in listener.warnings
    )


@pytest.fixture
def copied(whole: modelspec.Run, tmp_path: Path) -> modelspec.Run:
    """A finished run that a test may damage."""
    shutil.copytree(whole.path, tmp_path / "copied")
    return modelspec.Run(tmp_path / "copied")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("run.json", "{", "is damaged: it is not JSON"),
        ("run.json", "[]", "is not the record of a run"),
        ("history.jsonl", '{"epoch": 1}\nxx', "is damaged: it is not JSON"),
    ],
)
def test_a_damaged_file_is_named(copied: modelspec.Run, name: str, text: str, fault: str) -> None:
    (copied.path / name).write_text(text)
    with pytest.raises(modelspec.RunError, match=f"{name} {fault}"):
        modelspec.train(modelspec.loads(SPEC), DATA, run=copied.path, resume=True)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    whole: modelspec.Run, copied: modelspec.Run
) -> None:
    folder = copied.path / "checkpoints"
    os.truncate(max(folder.glob("*.npz")), 1000)
    listener = Recorder()
    spec = modelspec.loads(SPEC)
    assert_same(modelspec.train(spec, DATA, run=copied.path, resume=True, listener=listener), whole)
    assert any("continuing from the previous one" in warning for warning in listener.warnings)
    for path in folder.glob("*.npz"):
        path.write_bytes(b"rubbish")
    with pytest.raises(modelspec.RunError, match="no other readable checkpoint"):
        modelspec.train(spec, DATA, run=copied.path, resume=True)


def test_weights_that_early_stopping_keeps_in_bfloat16_go_on(tmp_path: Path) -> None:
    options = ["training.precision=bfloat16", "layers.0=Flatten", "training.epochs=3"]
    whole = modelspec.train(modelspec.loads(SPEC, options), DATA, run=tmp_path / "whole")
    options[-1] = "training.epochs=2"
    modelspec.train(modelspec.loads(SPEC, options), DATA, run=tmp_path / "cut")
    options[-1] = "training.epochs=3"
    spec = modelspec.loads(SPEC, options)
    run = modelspec.train(spec, DATA, run=tmp_path / "cut", resume=True)
    assert run.history[-1]["loss"] == whole.history[-1]["loss"]


@pytest.mark.parametrize("path", ["run.json", "checkpoints/mine.csv", ".", "./history.jsonl"])
def test_callbacks_keep_out_of_the_files_of_the_run(path: str) -> None:
    option = f"training.callbacks=[CSVLogger: {{filename: {path}}}]"
    [problem] = modelspec.loads(SPEC, [option]).problems
    assert (problem.code, problem.severity) == ("refused-path", "error")


def test_nothing_left_to_train_on_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", image=np.zeros((3, 8, 8), "f"), digit=np.arange(3))
    options = ["training.validation_split=0.9", "training.callbacks=[]"]
    with pytest.raises(modelspec.RunError, match="leaves none of the 3 samples"):
        modelspec.train(modelspec.loads(SPEC, options), tmp_path / "few.npz", run=tmp_path / "run")


RAISING = """
import keras


class Raising(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise ValueError("no room")
"""


def test_what_a_callback_raises_is_told_of(tmp_path: Path) -> None:
    plugin = tmp_path / "raising.py"
    plugin.write_text(RAISING, encoding="utf-8")
    options = ["training.epochs=1", "training.callbacks=[Raising]"]
    spec = modelspec.loads(SPEC, options, plugins=[plugin])
    with pytest.raises(modelspec.RunError, match=r"a callback .* failed \(on_epoch_end\): no room"):
        modelspec.train(spec, DATA, run=tmp_path / "run")
    assert modelspec.Run(tmp_path / "run").status == "failed"


def test_a_class_beyond_the_output_has_no_weight(tmp_path: Path) -> None:
    options = ["training.epochs=1", "training.class_weights={digit: {99999999999: 2.0}}"]
    with pytest.raises(modelspec.SpecError) as refused:
        modelspec.train(modelspec.loads(SPEC, options), DATA, run=tmp_path)
    assert [problem.code for problem in refused.value.problems] == ["class-weights"]

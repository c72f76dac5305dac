"""Parts of a data set, and arrays from memory, on their way into training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listeners import Recorder

import modelspec

pytestmark = pytest.mark.keras

SPEC = """
modelspec: 1
inputs: {x: {shape: [3]}}
layers:
  - Dense: {units: 1, kernel_initializer: ones}
    name: y
outputs: y
losses: mse
optimizer: {SGD: {learning_rate: 0.0}}
training: {epochs: 1, batch_size: 4}
"""


def parts(**targets: float) -> dict[str, Any]:
    """Inputs of zeros, of which the model makes 0, and a target for each part."""
    arrays: dict[str, Any] = {}
    for part, target in targets.items():
        arrays[f"x_{part}"] = np.zeros((8, 3), "f4")
        arrays[f"y_{part}"] = np.full((8, 1), target, "f4")
    return arrays


def run(folder: Path, data: Any, *settings: str, **rest: Any) -> tuple[dict[str, Any], list[str]]:
    recorder = Recorder()
    source = modelspec.loads(SPEC, settings)
    made = modelspec.train(source, data, run=folder / "run", listener=recorder, **rest)
    return made.history[-1], recorder.notes


@pytest.mark.parametrize("suffix", ["val", "valid", "validation"])
def test_rows_marked_for_validation_validate(suffix: str, tmp_path: Path) -> None:
    data = tmp_path / "three.npz"
    np.savez(data, **parts(train=1.0, test=3.0, **{suffix: 2.0}))
    record, notes = run(tmp_path, data)
    assert (record["loss"], record["val_loss"]) == (1.0, 4.0)
    assert f"arrays to validate on: x_{suffix}, y_{suffix}" in notes
    run_of = modelspec.open_target(tmp_path / "run")
    assert modelspec.evaluate(run_of, data)["loss"] == 9.0


@pytest.mark.parametrize("validation", [(), [], None])
def test_no_file_to_validate_on_leaves_the_marked_part(validation: Any, tmp_path: Path) -> None:
    """The command line passes an empty tuple."""
    record, _ = run(tmp_path, parts(train=1.0, val=2.0), validation=validation)
    assert record["val_loss"] == 4.0


def test_a_marked_part_goes_before_a_drawn_one(tmp_path: Path) -> None:
    data = parts(train=1.0, val=2.0)
    record, notes = run(tmp_path, data, "training.validation_split=0.5")
    assert record["val_loss"] == 4.0
    assert any("validation_split is not used" in note for note in notes)


def test_a_file_to_validate_on_uses_its_validation_part(tmp_path: Path) -> None:
    file = tmp_path / "three.npz"
    np.savez(file, **parts(train=1.0, val=2.0, test=3.0))
    record, _ = run(tmp_path, parts(train=1.0), validation=file)
    assert record["val_loss"] == 4.0


def test_arrays_from_memory_train_as_a_file_does(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {"x": random.random((30, 3)), "y": random.random((30, 1))}
    np.savez(tmp_path / "data.npz", **arrays)
    made = []
    for name, data in (("memory", arrays), ("file", tmp_path / "data.npz")):
        source = modelspec.loads(SPEC, ["optimizer=adam", "training.validation_split=0.2"])
        trained = modelspec.train(source, data, run=tmp_path / name)
        target = modelspec.open_target(trained.path)
        records = [
            {key: value for key, value in epoch.items() if key != "seconds"}
            for epoch in trained.history
        ]
        predicted = modelspec.predict(target, data).arrays["y"]
        made.append((records, modelspec.evaluate(target, data), predicted, trained.record["data"]))
    assert made[0][:2] == made[1][:2]
    assert made[0][3] == made[1][3]
    np.testing.assert_array_equal(made[0][2], made[1][2])


SPLIT = "training.validation_split="


def test_the_last_rows_validate(tmp_path: Path) -> None:
    targets = np.r_[np.ones(16), np.full(4, 3.0)].astype("f4")
    data = {"x": np.zeros((20, 3), "f4"), "y": targets}
    record, _ = run(tmp_path, data, SPLIT + "{last: 0.2}", "training.shuffle=false")
    assert (record["loss"], record["val_loss"]) == (1.0, 9.0)
    text = (tmp_path / "run" / "spec.yaml").read_text(encoding="utf-8")
    assert modelspec.loads(text).problems == []


def test_whole_groups_validate(tmp_path: Path) -> None:
    data = {"x": np.zeros((20, 3), "f4"), "y": np.ones(20, "f4"), "who": np.repeat(list("abcd"), 5)}
    _, notes = run(tmp_path, data, SPLIT + "{fraction: 0.25, groups: who}")
    assert "5 of 20 samples used for validation: 1 of 4 groups" in notes


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (None, "missing-array"),
        (np.zeros((20, 2)), "wrong-shape"),
        (np.zeros(19), "wrong-shape"),
        (np.zeros(20, "c8"), "wrong-dtype"),
    ],
)
def test_groups_that_do_not_fit(who: Any, code: str) -> None:
    data = {"x": np.zeros((20, 3), "f4"), "y": np.ones(20, "f4")}
    data |= {} if who is None else {"who": who}
    source = modelspec.loads(SPEC, [SPLIT + "{fraction: 0.25, groups: who}"])
    [problem] = source.check(data)
    assert problem.code == code


@pytest.mark.parametrize(
    "split", ["{last: 0}", "{last: 1}", "{first: 0.2}", "{fraction: 0.2}", "{last: 0.2, groups: g}"]
)
def test_splits_that_cannot_be(split: str) -> None:
    assert modelspec.loads(SPEC, [SPLIT + split]).problems


def test_drawn_rows_of_a_series_are_told(tmp_path: Path) -> None:
    data = {"x": np.zeros((20, 3), "f4"), "y": np.ones(20, "f4")}
    _, notes = run(tmp_path, data, SPLIT + "0.2", "training.shuffle=false")
    assert any("{last: 0.2}" in note for note in notes)


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("outputs: yy", ["unknown-name"]),
        ("outputs: {y: yy}", ["unknown-name"]),
        ("outputs: {z: y}", ["missing-array"]),
        ("outputs: {z: yy}", ["missing-array", "unknown-name"]),  # two names, two mistakes
    ],
)
def test_a_wrong_name_is_not_also_an_array_that_lacks(written: str, codes: list[str]) -> None:
    data = {"x": np.zeros((8, 3), "f4"), "target": np.zeros((8, 1), "f4")}
    if "{y:" in written:
        data["y"] = data.pop("target")
    text = SPEC.replace("outputs: y", written)
    problems = modelspec.loads(text).check(data, fast=True)
    told = {problem.code for problem in problems if problem.severity == "error"}
    assert sorted(told) == codes


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("x_val", lambda rows: rows[:, :2], "wrong-shape"),
        ("x_val", lambda rows: rows + np.nan, "not-finite"),
        ("y_val", lambda rows: rows.repeat(3, axis=1), "wrong-target-shape"),
        ("y_val", lambda rows: rows[:5], "sample-count"),
        ("both", lambda rows: rows[:0], "no-samples"),
    ],
)
def test_check_sees_the_validation_part(name: str, change: Any, code: str, tmp_path: Path) -> None:
    data = parts(train=1.0, val=2.0)
    source = modelspec.loads(SPEC)
    assert source.check(data) == []
    for array in ("x_val", "y_val") if name == "both" else (name,):
        data[array] = change(data[array])
    [problem] = source.check(data)
    assert (problem.code, problem.severity) == (code, "error")
    assert "validation" in problem.message
    with pytest.raises(modelspec.SpecError):
        run(tmp_path, data)


def test_a_mistake_in_both_parts_is_one_problem() -> None:
    data = {name: rows[:, :1] for name, rows in parts(train=1.0, val=2.0).items()}
    [problem] = modelspec.loads(SPEC).check(data)
    assert problem.code == "wrong-shape"
    assert "x_train" in problem.message


CLASSES = """
modelspec: 1
inputs: {x: {shape: [3]}}
layers: [{Dense: {units: 3, activation: softmax}, name: kind}]
outputs: kind
losses: sparse_categorical_crossentropy
data: {kind: {column: kind}}
training: {epochs: 1, batch_size: 4, validation_split: {last: 0.25}}
"""


def test_a_class_of_validation_rows_alone_is_refused_unless_it_is_listed(tmp_path: Path) -> None:
    data = {"x": np.zeros((8, 3), "f4"), "kind": np.array([*"ababab", "c", "c"])}
    message = "no training row of kind has the class c"
    source = modelspec.loads(CLASSES)
    assert [problem.message for problem in source.check(data)] == [message]
    with pytest.raises(modelspec.SpecError) as caught:
        modelspec.train(source, data, run=tmp_path / "refused")
    assert [problem.message for problem in caught.value.problems] == [message]
    listed = modelspec.loads(CLASSES, ["data.kind.classes=[a, b, c]"])
    assert listed.check(data) == []
    assert modelspec.train(listed, data, run=tmp_path / "run").history[-1]["val_loss"] > 0


def test_a_run_without_a_folder_cannot_resume() -> None:
    with pytest.raises(modelspec.RunError, match="resume needs run, the folder of the run"):
        modelspec.train(modelspec.loads(SPEC), parts(train=1.0), resume=True)

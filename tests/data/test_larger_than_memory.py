"""Data of many files, and of more than memory holds, through the API and the command line."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelspec
from modelspec.cli import modelspec as command
from modelspec.data.arrays import digest
from modelspec.data.dataset import load_dataset
from modelspec.data.validation_split import split_validation

pytestmark = pytest.mark.keras

SPEC = """\
modelspec: 1
inputs: {x: {shape: [64]}}
layers:
  - Dense: {units: 8, activation: relu}
    name: hidden
  - Dense: {units: 4, activation: softmax}
    name: digit
    from: hidden
  - Dense: {units: 1}
    name: size
    from: hidden
outputs: [digit, size]
losses: {digit: sparse_categorical_crossentropy, size: mse}
metrics: {digit: accuracy}
training: {epochs: 2, batch_size: 32, precision: float32}
"""
COUNT = 300


def arrays(count: int = COUNT) -> dict[str, Any]:
    random = np.random.default_rng(0)
    digit = random.integers(0, 4, count)
    x = random.random((count, 64), "f4") + digit[:, None].astype("f4")
    return {"x": x, "digit": digit, "size": x.mean(1)}


def cut(folder: Path, parts: int, save: Callable[..., None] = np.savez) -> Path:
    """The arrays in several files, of different sizes."""
    folder.mkdir()
    bounds = sorted(np.random.default_rng(parts).integers(1, COUNT, parts - 1))
    for number, (start, stop) in enumerate(zip([0, *bounds], [*bounds, COUNT], strict=True)):
        save(
            folder / f"{number}.npz", **{name: rows[start:stop] for name, rows in arrays().items()}
        )
    return folder


def weights(run: modelspec.Run) -> list[Any]:
    return list(modelspec.open_target(run.path).model().get_weights())


def test_a_set_of_files_is_as_good_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelspec.data.arrays.IN_MEMORY", 0)
    whole = tmp_path / "whole.npz"
    np.savez(whole, **arrays())
    folder, packed = cut(tmp_path / "cut", 3), cut(tmp_path / "packed", 4, np.savez_compressed)
    spec = modelspec.loads(SPEC)
    sets: list[Any] = [whole, [str(whole)], folder, sorted(packed.iterdir())]
    assert [spec.check(data) for data in sets] == [[], [], [], []]
    first, second = (
        modelspec.train(spec, data, validation=data, run=tmp_path / f"run{len(data)}")
        for data in (sets[1], sets[3])
    )
    assert first.record["data"]["sha256"] == second.record["data"]["sha256"]
    for one, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(one, other)
    target = modelspec.open_target(first.path)
    scores = [modelspec.evaluate(target, data) for data in sets]
    assert scores[1:] == scores[:-1]
    predictions = [modelspec.predict(target, data).arrays for data in sets]
    for name in ("digit", "size"):
        for arrays_of_a_set in predictions[1:]:
            np.testing.assert_array_equal(arrays_of_a_set[name], predictions[0][name])


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("modelspec.data.arrays.IN_MEMORY", 0)
    Path("spec.yaml").write_text(SPEC, encoding="utf-8")
    cut(Path("d"), 3)
    np.savez_compressed("more.npz", **arrays(), ids=np.arange(COUNT))
    data = ("--data", "d", "--data", "more.npz")

    def run(*arguments: str) -> tuple[str, list[str]]:
        """Return a command's standard output, and the lines of its standard error."""
        capfd.readouterr()
        command.main(arguments, standalone_mode=False)
        out, err = capfd.readouterr()
        return out, err.splitlines()

    folder = tmp_path / "cache" / "modelspec" / "unpacked"
    notes = [
        f"note: unpacking x, 76.8 KB, to {folder}",
        f"note: unpacking digit, 2.4 KB, to {folder}",
        f"note: unpacking size, 1.2 KB, to {folder}",
    ]
    odd = "array ids belongs to no input or output"
    _, err = run("check", "spec.yaml", *data)
    assert err[:3] == notes
    assert err[3].startswith(f"more.npz:1:1: warning: {odd}")

    out, err = run("train", "spec.yaml", *data, "--validation", "more.npz", "--run", "r")
    assert out == "r\n"
    assert not set(notes) & set(err)
    assert any(line.startswith(f"more.npz:1:1: warning: {odd}") for line in err)
    assert modelspec.Run.open("r").record["data"]["samples"] == 2 * COUNT

    for verb in ("evaluate", "predict"):
        _, err = run(verb, "r", *data)
        assert err[0].startswith(f"more.npz:1:1: warning: {odd}")
    with np.load("predictions.npz") as stored:
        assert stored["digit"].shape == (2 * COUNT, 4)
        np.testing.assert_array_equal(stored["size"][:COUNT], stored["size"][COUNT:])
    assert err[-9].split() == ["sample", "digit", "digit", "(target)", "size", "size", "(target)"]
    assert [line.split()[0] for line in err[-8:]] == list("01234567")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_is_mapped_is_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Any, save: Callable[..., None]
) -> None:
    monkeypatch.setattr("modelspec.data.arrays.IN_MEMORY", 1 << 18)
    monkeypatch.setattr("modelspec.data.arrays._BLOCK", 1 << 14)
    x = np.tile(np.random.default_rng(0).integers(0, 3, (400, 64), "u1"), (500, 1))
    save(tmp_path / "d.npz", x=np.asarray(x, order=order), digit=x[:, 0], size=x[:, 1])
    expected = digest(x)
    size = x.nbytes
    del x
    spec = modelspec.loads(SPEC)
    tracemalloc.start()
    dataset, problems = load_dataset(tmp_path / "d.npz", inputs=["x"], outputs=["digit", "size"])
    assert problems == []
    assert dataset is not None
    assert spec.check(tmp_path / "d.npz") == []
    assert digest(dataset.inputs["x"]) == expected
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * size
    held = split_validation(dataset, spec.heads, 0.1, 0)
    assert held.phrase == "20,000 of 200,000 samples used for validation, stratified by digit"

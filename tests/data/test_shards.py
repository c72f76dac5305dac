"""Several npz files, and folders of them, count as one set."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelspec.api.reading import loads
from modelspec.data.arrays import digest
from modelspec.data.dataset import Dataset, load_dataset
from modelspec.data.shards import Paths, files_of
from modelspec.problems.diagnostic import Diagnostic

X = np.random.default_rng(0).random((30, 4)).astype("f4")
Y = np.arange(30)
SPEC = """\
modelspec: 1
inputs: {x: {shape: [4]}}
layers: [{Dense: {units: 3}, name: y}]
outputs: y
losses: {SparseCategoricalCrossentropy: {from_logits: true}}
"""


def save(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def shards(folder: Path) -> Path:
    save(folder / "b.npz", y=Y[10:25], x=X[10:25])
    save(folder / "a.npz", x=X[:10], y=Y[:10])
    np.savez_compressed(folder / "c.npz", x=X[25:].astype(">f4"), y=Y[25:])
    (folder / "README.txt").write_text("not data")
    return folder


def load(paths: Paths, **names: Any) -> tuple[Dataset | None, list[Diagnostic]]:
    return load_dataset(paths, inputs=["x"], outputs=["y"], **names)


def problems(*paths: Path) -> list[tuple[str, str | None]]:
    dataset, told = load(paths)
    assert dataset is None
    return [(problem.code, problem.file and Path(problem.file).name) for problem in told]


def test_a_folder_is_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = shards(tmp_path / "d")
    files = [folder / f"{name}.npz" for name in "abc"]
    sets: list[Paths] = [folder, str(folder), files, tuple(map(str, files)), [folder, files[1]]]
    for paths in sets:
        dataset, problems = load(paths)
        assert problems == []
        assert dataset is not None
        assert dataset.samples == 30
        assert dataset.array_names == {"x": "x", "y": "y"}
        np.testing.assert_array_equal(dataset.inputs["x"][:], X)
        assert digest(dataset.inputs["x"]) == digest(X)
        assert digest(dataset.targets["y"]) == digest(Y)
    dataset, _ = load([files[2], files[0]])
    assert dataset is not None
    np.testing.assert_array_equal(dataset.targets["y"][:], [*Y[25:], *Y[:10]])


def test_files_of(tmp_path: Path) -> None:
    folder = shards(tmp_path)
    expected = [folder / f"{name}.npz" for name in "abc"]
    assert files_of(folder) == files_of([folder, str(expected[0])]) == expected
    assert files_of([expected[2], folder]) == [expected[2], *expected[:2]]
    assert files_of(tmp_path / "none.npz") == [tmp_path / "none.npz"]


def test_one_file_stays_an_array(tmp_path: Path) -> None:
    path = save(tmp_path / "d" / "only.npz", x=X, y=Y)
    for paths in (path, [path], path.parent, [path, path]):
        dataset, _ = load(paths)
        assert dataset is not None
        assert isinstance(dataset.inputs["x"], np.memmap)


def test_one_array_for_two_names_is_loaded_once(tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", x=X)
    dataset, _ = load(path, names={"y": "x"})
    assert dataset is not None
    assert dataset.inputs["x"] is dataset.targets["y"]


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    [problem] = load(tmp_path / "d")[1]
    assert (problem.code, problem.file) == ("not-npz", str(tmp_path / "d"))
    assert problem.message == "this folder contains no npz files and no tables"


def test_every_file_is_checked(tmp_path: Path) -> None:
    folder = shards(tmp_path)
    (folder / "b.npz").write_bytes(b"rubbish")
    assert problems(folder, tmp_path / "none.npz") == [
        ("not-npz", "b.npz"),
        ("data-not-found", "none.npz"),
    ]


@pytest.mark.parametrize(
    ("arrays", "code", "said"),
    [
        ({"x": X.astype("f8"), "y": Y}, "wrong-dtype", "array x is float64, but in"),
        ({"x": X[:, :3], "y": Y}, "wrong-shape", "array x has samples of shape [3], but in"),
        ({"x": X, "y": Y[:, None]}, "wrong-shape", "array y has samples of shape [1], but in"),
        ({"x": X, "y": 3}, "wrong-shape", "array y is a single number, which has no rows"),
        ({"x": X}, "missing-array", "the file has no array y, which"),
        ({}, "missing-array", "the file has no array x, which"),
    ],
)
def test_a_file_unlike_the_first(tmp_path: Path, arrays: Any, code: str, said: str) -> None:
    first = save(tmp_path / "a.npz", x=X, y=Y)
    odd = save(tmp_path / "odd.npz", **arrays)
    dataset, problems = load([first, odd])
    assert dataset is None
    assert problems[0].code == code
    assert problems[0].file == str(odd)
    assert problems[0].message.startswith(said)


def test_texts_may_differ_in_width(tmp_path: Path) -> None:
    one = save(tmp_path / "a.npz", x=["a", "b"], y=[0, 1])
    two = save(tmp_path / "b.npz", x=["long"], y=[2])
    dataset, problems = load([one, two])
    assert problems == []
    assert dataset is not None
    assert dataset.inputs["x"][:].tolist() == ["a", "b", "long"]


def test_unknown_arrays_are_told_once(tmp_path: Path) -> None:
    for name in "abc":
        save(tmp_path / f"{name}.npz", x=X, y=Y, ids=Y)
    _, [problem] = load(tmp_path)
    assert (problem.code, problem.severity) == ("unknown-array", "warning")
    assert problem.file == str(tmp_path / "a.npz")


def test_the_order_of_members_does_not_matter(tmp_path: Path) -> None:
    arrays = {"z": Y, "y_wieght": Y, "x": X, "y": Y, "w": Y}
    loaded = []
    for names in (sorted(arrays), sorted(arrays, reverse=True)):
        path = save(tmp_path / "d.npz", **{name: arrays[name] for name in names})
        dataset, problems = load(path)
        assert dataset is not None
        loaded.append((list(dataset.inputs), list(dataset.array_names.items()), problems))
    assert loaded[0] == loaded[1]


@pytest.mark.keras
def test_checks_see_all_the_rows(tmp_path: Path) -> None:
    folder = shards(tmp_path)
    bad = X[25:].copy()
    bad[2, 1] = np.nan
    save(folder / "c.npz", x=bad, y=Y[25:])
    problems = loads(SPEC).check(folder)
    assert [problem.code for problem in problems] == ["not-finite", "class-id-out-of-range"]
    assert f"first in row 2 of {folder / 'c.npz'}" in problems[0].message
    assert "class ids 0..29" in problems[1].message


@pytest.mark.keras
def test_counts_are_those_of_all_files(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", x=X[:10], y=Y[:5] % 3)
    save(tmp_path / "b.npz", x=X[:10], y=Y[:5] % 3)
    [problem] = loads(SPEC).check([tmp_path / "a.npz", tmp_path / "b.npz"])
    assert problem.code == "sample-count"
    assert problem.message.endswith("x 20, y 10")


def test_hidden_files_are_no_shards(tmp_path: Path) -> None:
    for name in ("a.npz", "._a.npz"):
        np.savez(tmp_path / name, x=np.zeros(2))
    assert files_of(tmp_path) == [tmp_path / "a.npz"]

"""The shipped data is what data/README.md says, and what data/make_data.py makes."""

import runpy
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

DATA = Path(__file__).parents[2] / "data"
FILES = sorted(DATA.glob("*.npz"))
TABLES = sorted(DATA.glob("*.csv"))
MAXIMUM_BYTES = 3_000_000

Arrays = dict[str, NDArray[Any]]


class Row(NamedTuple):
    """One line of the README's table of arrays."""

    file: str
    name: str
    dtype: str
    train: tuple[int, ...]
    test: tuple[int, ...]
    values: str


def documented() -> list[Row]:
    table = (DATA / "README.md").read_text(encoding="utf-8").split("## Arrays")[1].split("## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [Row(f, n, d, shape(train), shape(test), v) for f, n, d, train, test, v in rows]


def shape(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split("×"))  # noqa: RUF001


@cache
def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def samples(path: Path, name: str) -> set[bytes]:
    return {sample.tobytes() for sample in load(path)[name]}


ROWS = documented()


def test_readme_lists_every_array_and_no_other() -> None:
    listed = {(row.file, f"{row.name}_{part}") for row in ROWS for part in ("train", "test")}
    assert listed == {(path.stem, name) for path in FILES for name in load(path)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.file}.{row.name}")
def test_array_is_as_documented(row: Row) -> None:
    arrays = load(DATA / f"{row.file}.npz")
    train, test = arrays[f"{row.name}_train"], arrays[f"{row.name}_test"]
    names = [
        array.dtype.name.rstrip("0123456789" * (array.dtype.kind == "U")) for array in (train, test)
    ]
    assert names == [row.dtype, row.dtype]
    assert (train.shape, test.shape) == (row.train, row.test)
    assert_values(np.concatenate([train, test]), row.values)


def assert_values(array: NDArray[Any], values: str) -> None:
    if values == "text":
        assert all(array)
        return
    assert np.isfinite(array).all()
    if values == "one-hot":
        assert set(np.unique(array)) == {0, 1}
        assert (array.sum(axis=-1) == 1).all()
    elif values == "0 or 1":
        assert set(np.unique(array)) == {0, 1}
    else:
        low, high = (float(bound) for bound in values.split(" to "))
        assert low <= array.min()
        assert array.max() <= np.float32(high)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_array_needs_unpickling(path: Path) -> None:
    assert all(array.dtype.kind in "iufU" for array in load(path).values())


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("digits", ["image"]),
        ("digits_heads", ["image"]),
        ("digits_placed", ["image"]),
        ("digits_faint", ["image"]),
        ("digit_pairs", ["left", "right"]),
        ("breast_cancer", ["mean"]),
        ("mlp", ["features"]),
        ("question_answering", ["text"]),
        ("author_profile", ["posts"]),
        ("reviews", ["review"]),
    ],
)
def test_train_and_test_share_no_sample(file: str, names: list[str]) -> None:
    path = DATA / f"{file}.npz"
    train = set().union(*(samples(path, f"{name}_train") for name in names))
    test = set().union(*(samples(path, f"{name}_test") for name in names))
    assert not train & test


def test_sets_of_digits_share_one_split() -> None:
    train, test = (samples(DATA / "digits.npz", f"image_{part}") for part in ("train", "test"))
    for file, name in (
        ("digits_heads", "image"),
        ("digit_pairs", "left"),
        ("digit_pairs", "right"),
    ):
        assert samples(DATA / f"{file}.npz", f"{name}_train") <= train
        assert samples(DATA / f"{file}.npz", f"{name}_test") <= test


def test_placed_digits_use_the_split_too() -> None:
    for part in ("train", "test"):
        original = samples(DATA / "digits.npz", f"image_{part}")
        for image in load(DATA / "digits_placed.npz")[f"image_{part}"]:
            windows = np.lib.stride_tricks.sliding_window_view(image, (8, 8)).reshape(-1, 8, 8)
            bright = (windows / 16).astype(np.float32)
            assert any(window.tobytes() in original for window in bright)


def test_data_stays_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < MAXIMUM_BYTES


def test_script_makes_the_same_arrays_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_data.py", str(tmp_path)])
    runpy.run_path(str(DATA / "make_data.py"), run_name="__main__")
    made = sorted(tmp_path.iterdir())
    assert [path.name for path in made] == sorted(path.name for path in [*FILES, *TABLES])
    for path in TABLES:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    for path in FILES:
        shipped, remade = load(path), load(tmp_path / path.name)
        assert list(remade) == list(shipped)
        for name, array in shipped.items():
            np.testing.assert_array_equal(remade[name], array, err_msg=f"{path.name}: {name}")


def test_tables_are_as_documented() -> None:
    for name, rows in (("train", 142), ("test", 36)):
        lines = (DATA / f"wine_{name}.csv").read_text(encoding="utf-8").splitlines()
        cells = [line.split(",") for line in lines]
        assert len(cells) == rows + 1
        assert {len(cell_row) for cell_row in cells} == {15}
        assert {cell_row[1] for cell_row in cells[1:]} == {"light", "medium", "full"}
        assert {cell_row[-1] for cell_row in cells[1:]} == {"barolo", "grignolino", "barbera"}
        assert any(not cell_row[2] for cell_row in cells)

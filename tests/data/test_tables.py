"""Columns of CSV, TSV and Parquet files as arrays, and what people get wrong in them."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from modelspec.data import arrays, unpacking
from modelspec.data.dataset import Dataset, load_dataset
from modelspec.data.tables import delimited
from modelspec.language.columns import ColumnSource
from modelspec.problems.diagnostic import Diagnostic

pl = pytest.importorskip("polars")

ROWS = 40
DTYPES = {"x": "float32", "word": "string"}


def text(separator: str = ",", end: str = "\n") -> str:
    """A table whose column x is fractions only in its last row, and word has all that CSV has."""
    words = ["plain", '"a, ""b"""', '"two\nlines"', "", "ünï 👍", '"; \t"']
    rows = [
        (str(k) if k < ROWS - 1 else "0.5", words[k % 6], ["no", "yes"][k % 2], str(k % 5 - 2))
        for k in range(ROWS)
    ]
    lines = [("x", "word", "cls", "y"), *rows]
    return end.join(separator.join(line) for line in lines) + end


def load(paths: Any, names: Mapping[str, Any] | None = None, **options: Any) -> Dataset:
    dataset, problems = read(paths, names, **options)
    assert not problems, problems
    assert dataset is not None
    return dataset


def read(
    paths: Any,
    names: Mapping[str, Any] | None = None,
    *,
    inputs: tuple[str, ...] = ("x", "word"),
    outputs: tuple[str, ...] = ("y",),
    **options: Any,
) -> tuple[Dataset | None, list[Diagnostic]]:
    return load_dataset(
        paths, inputs=inputs, outputs=outputs, names=names or {}, dtypes=DTYPES, **options
    )


def is_whole(dataset: Dataset) -> None:
    x, word = np.asarray(dataset.inputs["x"][:]), np.asarray(dataset.inputs["word"][:])
    assert x.tolist() == [*range(ROWS - 1), 0.5]
    known = ["plain", 'a, "b"', "two\nlines", "", "ünï 👍", "; \t"]
    assert [text.decode() for text in word] == [known[k % 6] for k in range(ROWS)]
    y = np.asarray(dataset.targets["y"][:])
    assert y.tolist() == [k % 5 - 2 for k in range(ROWS)]
    assert y.dtype == np.int64


FORMS: dict[str, Callable[[Path], Path]] = {}


def form(write: Callable[[Path], str]) -> Callable[[Path], str]:
    def made(folder: Path) -> Path:
        return folder / write(folder)

    FORMS[write.__name__] = made
    return write


@form
def csv(folder: Path) -> str:
    (folder / "t.csv").write_text(text())
    return "t.csv"


@form
def windows(folder: Path) -> str:
    (folder / "t.csv").write_bytes(
        b"\xef\xbb\xbf"
        + text().replace("\n", "\r\n").encode().replace(b"two\r\nlines", b"two\nlines")
    )
    return "t.csv"


@form
def semicolons(folder: Path) -> str:
    (folder / "t.CSV").write_text(text(";"))
    return "t.CSV"


@form
def tabs(folder: Path) -> str:
    (folder / "t.tsv").write_text(text("\t"))
    return "t.tsv"


@form
def blank_lines(folder: Path) -> str:
    head, _, rest = text().partition("\n")
    (folder / "t.csv").write_text(f"{head}\n\n{rest}\n\n".rstrip("\n"))
    return "t.csv"


@form
def parquet(folder: Path) -> str:
    csv(folder)
    pl.read_csv(folder / "t.csv", infer_schema_length=None).write_parquet(folder / "t.parquet")
    return "t.parquet"


@form
def halves_in_a_folder(folder: Path) -> str:
    """The first half has whole numbers alone, and the other lies in an npz file or a table."""
    (folder / "d").mkdir()
    frame = pl.read_csv(text().encode(), infer_schema=False)
    frame[: ROWS // 2].write_csv(folder / "d" / "1.csv")
    frame[ROWS // 2 :].write_csv(folder / "d" / "2.csv")
    return "d"


@form
def beside_npz(folder: Path) -> str:
    (folder / "d").mkdir()
    frame = pl.read_csv(text().encode(), infer_schema=False)
    half = ROWS // 2
    frame[:half].write_csv(folder / "d" / "1.csv")
    rest = frame[half:].fill_null("")
    np.savez(
        folder / "d" / "2.npz",
        x=rest["x"].to_numpy().astype("f8"),
        word=np.array([cell.encode() for cell in rest["word"]]),
        y=rest["y"].to_numpy().astype("i8"),
    )
    return "d"


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("size", ["small parts", "one part"])
def test_forms(name: str, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if size == "small parts":
        monkeypatch.setattr(delimited, "PART_BYTES", 50)
    is_whole(load(FORMS[name](tmp_path)))


def test_larger_tables_are_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(arrays, "IN_MEMORY", 100)
    monkeypatch.setattr(delimited, "PART_BYTES", 64)
    file = FORMS["csv"](tmp_path)
    notes: list[str] = []
    is_whole(load(file, say=notes.append))
    assert [note.split(",")[0] for note in notes] == [f"unpacking {file}"]
    monkeypatch.setattr(delimited.Delimited, "parts", None)  # the cells are not read again
    is_whole(load(file, say=notes.append))
    assert len(notes) == 1
    assert all(path.suffix == ".array" for path in unpacking.folder().iterdir())


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "IN_MEMORY", 100)
    (tmp_path / "cache").write_text("a file in the place of the folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, [problem] = read(FORMS["csv"](tmp_path))
    assert problem.code == "array-too-large"


def test_lists_of_columns_are_stacked(tmp_path: Path) -> None:
    file = FORMS["csv"](tmp_path)
    names = {"x": ("x", "y")}
    data = load(file, names, inputs=("x",))
    column = data.inputs["x"]
    assert column.shape == (ROWS, 2)
    expected = np.stack([[*range(ROWS - 1), 0.5], [k % 5 - 2 for k in range(ROWS)]], -1)
    np.testing.assert_array_equal(column[:], expected)
    np.testing.assert_array_equal(column[np.array([3, 1])], expected[[3, 1]])
    assert arrays.scan(column).low == -2
    assert arrays.digest(column) == arrays.digest(expected.astype("f"))
    np.savez(tmp_path / "d.npz", a=expected[:, 0], b=expected[:, 1], y=expected[:, 1])
    stacked = load(tmp_path / "d.npz", {"x": ("a", "b")}, inputs=("x",)).inputs["x"]
    np.testing.assert_array_equal(stacked[:], expected)
    _, [problem] = read(file, {"x": ("x", "word")}, inputs=("x",))
    assert problem.code == "mixed-column"


def test_larger_stacks_lie_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, names = FORMS["csv"](tmp_path), {"x": ("x", "y")}
    small = load(file, names, inputs=("x",)).inputs["x"][:]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(arrays, "IN_MEMORY", 100)
    notes: list[str] = []
    for _ in range(2):
        column = load(file, names, inputs=("x",), say=notes.append).inputs["x"]
        np.testing.assert_array_equal(column[:], small)
    assert [note.split(",")[0] for note in notes] == [f"unpacking {file}", "unpacking x"]
    file.write_text(text().replace("3,", "4,"))
    changed = load(file, names, inputs=("x",)).inputs["x"]
    assert np.asarray(changed[:]).tolist() != np.asarray(small).tolist()
    memory = {"a": np.arange(99.0), "b": np.arange(99.0), "y": np.arange(99.0)}
    held = load(memory, {"x": ("a", "b")}, inputs=("x",)).inputs["x"]
    np.testing.assert_array_equal(held[np.array([5, 2])], [[5, 5], [2, 2]])


def test_classes(tmp_path: Path) -> None:
    file = FORMS["csv"](tmp_path)
    data = load(file, {"y": ColumnSource(column="cls")})
    assert data.classes == {"y": ("no", "yes")}
    np.testing.assert_array_equal(data.targets["y"][:], np.arange(ROWS) % 2)
    data = load(file, {"y": ColumnSource(column="cls", classes=("yes", "no"))})
    np.testing.assert_array_equal(data.targets["y"][:], 1 - np.arange(ROWS) % 2)
    data = load(file, {"y": ColumnSource(column="y")})
    assert data.classes == {"y": (-2, -1, 0, 1, 2)}
    np.testing.assert_array_equal(data.targets["y"][:], np.arange(ROWS) % 5)
    _, [problem] = read(file, {"y": ColumnSource(column="cls", classes=("no", "maybe"))})
    assert problem.code == "unknown-class"
    assert "the class yes in row 1" in problem.message
    np.savez(tmp_path / "d.npz", x=np.zeros(3), word=["a"] * 3, y=[" b", "a", "c"])
    data = load(tmp_path / "d.npz", {"y": ColumnSource(column="y")})
    assert data.classes == {"y": ("a", "b", "c")}
    (tmp_path / "l.csv").write_text(f"x,word,y\n1,a,{10**20}\n1,a,{10**20 + 1}\n")
    assert load(tmp_path / "l.csv", {"y": ColumnSource(column="y")}).classes == {
        "y": (str(10**20), str(10**20 + 1))
    }


def test_a_class_that_reads_like_a_missing_cell_is_told(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("x,word,y\n1,a,good\n2,b,NA\n3,c,bad\n")
    dataset, [problem] = read(file, {"y": ColumnSource(column="y")})
    assert (problem.severity, problem.route) == ("warning", ("data", "y"))
    assert 'missing: ["NA"]' in (problem.hint or "")
    assert dataset is not None
    assert dataset.classes == {"y": ("NA", "bad", "good")}
    load(file, {"y": ColumnSource(column="y", classes=("NA", "bad", "good"))})
    _, [problem] = read(file, {"y": ColumnSource(column="y", missing=("NA",))})
    assert (problem.severity, problem.message) == ("error", "array y has no class in row 1")
    file.write_text("x,word,y\n1,a,+\n2,b,-\n")
    assert load(file, {"y": ColumnSource(column="y")}).classes == {"y": ("+", "-")}


def test_missing_cells(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,word,y\n1,,true\n,a,False\n")
    data = load(tmp_path / "t.csv")
    np.testing.assert_array_equal(data.inputs["x"][:], [1, np.nan])
    assert np.asarray(data.inputs["word"][:]).tolist() == [b"", b"a"]
    assert np.asarray(data.targets["y"][:]).tolist() == [1, 0]


def test_text_is_pinned_by_the_spec(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,word,y\n1,007,1\n2,08,1\n")
    assert np.asarray(load(tmp_path / "t.csv").inputs["word"][:]).tolist() == [b"007", b"08"]


PINS: dict[str, tuple[str, str, Any]] = {
    "integers as fractions": ("float32", "1\n2\n", np.array([1, 2], np.float32)),
    "fractions of whole numbers": ("int64", "1.0\n-2\n", np.array([1, -2])),
    "small integers": ("int32", "true\n7\n", np.array([1, 7], np.int32)),
    "numbers as text": ("string", "007\n1e3\n", np.array([b"007", b"1e3"])),
}


@pytest.mark.parametrize("name", PINS)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_types_are_pinned(name: str, suffix: str, tmp_path: Path) -> None:
    dtype, cells, expected = PINS[name]
    (tmp_path / "t.csv").write_text(f"x,y\n{cells}".replace("\n", ",0\n").replace("y,0", "y"))
    if suffix == ".parquet":
        frame = pl.read_csv(tmp_path / "t.csv", infer_schema=dtype not in ("string", "int32"))
        frame.write_parquet(tmp_path / "t.parquet")
    names = {"x": ColumnSource(column="x", dtype=dtype)}  # type: ignore[arg-type]
    array = np.asarray(load(tmp_path / f"t{suffix}", names, inputs=("x",)).inputs["x"][:])
    np.testing.assert_array_equal(array, expected)
    assert array.dtype == expected.dtype


UNFIT = {
    "a fraction": (b"1,a,1\n1.5,a,1\n", "3:1", "float64"),
    "a missing cell": (b"1,a,1\n,a,1\n", "3:1", "NaN for missing cells"),
    "a large number": (b"1,a,1\n3000000000,a,1\n", "3:1", "int64"),
    "a word": (b"1,a,1\ntwo,a,1\n", "3:1", "dtype: string"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_cells_that_do_not_fit_their_type(name: str, tmp_path: Path) -> None:
    rows, place, hint = UNFIT[name]
    (tmp_path / "t.csv").write_bytes(HEAD.encode() + rows)
    _, [problem] = read(tmp_path / "t.csv", {"x": ColumnSource(column="x", dtype="int32")})
    assert problem.span is not None
    assert f"{problem.span.line}:{problem.span.column}" == place
    assert problem.code == "mixed-column"
    assert hint in (problem.hint or "")


def test_texts_that_mark_missing_cells(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,word,y\n1,NA,-,3\n -,2,x,NA\n,3,NA,5\n")
    names = {
        "x": ColumnSource(column=("a", "b"), missing=("NA", "-")),
        "word": ColumnSource(column="word", dtype="string", missing=("-",)),
        "y": ColumnSource(column="y", dtype="float64", missing=("NA",)),
    }
    data = load(tmp_path / "t.csv", names)
    np.testing.assert_array_equal(data.inputs["x"][:], [[1, np.nan], [np.nan, 2], [np.nan, 3]])
    assert np.asarray(data.inputs["word"][:]).tolist() == [b"", b"x", b"NA"]
    np.testing.assert_array_equal(data.targets["y"][:], [3, np.nan, 5])
    assert not data.classes


def test_the_hint_for_a_missing_cell_works_as_it_is_pasted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,word,y\n1,a,1\nn/a,a,1\n")
    _, [problem] = read(tmp_path / "t.csv")
    pasted = yaml.safe_load((problem.hint or "").partition("data: ")[2].replace("NAME", "x"))
    names = {"x": ColumnSource(**pasted["x"])}
    np.testing.assert_array_equal(load(tmp_path / "t.csv", names).inputs["x"][:], [1, np.nan])


def test_arrays_have_their_own_types(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=[0.5], word=["a"], y=[1])
    names = {"x": ColumnSource(column="x", dtype="int32", missing=("NA",))}
    _, problems = read(tmp_path / "d.npz", names)
    assert [problem.code for problem in problems] == ["wrong-value", "wrong-dtype"]
    names = {"x": ColumnSource(column="x", dtype="float32")}
    assert not load(tmp_path / "d.npz", names).classes


def test_a_column_has_one_type(tmp_path: Path) -> None:
    file = FORMS["csv"](tmp_path)
    names = {"x": ColumnSource(column="y", dtype="float32"), "y": "y"}
    _, [problem] = read(file, names)
    assert (problem.code, problem.route) == ("wrong-value", ("data", "y"))


def test_classes_as_rows_of_shares(tmp_path: Path) -> None:
    file = FORMS["csv"](tmp_path)
    data = load(file, {"y": ColumnSource(column="cls")}, one_hot=["y"])
    column = data.targets["y"]
    expected = np.eye(2, dtype=np.float32)[np.arange(ROWS) % 2]
    assert (column.shape, column.dtype.name, column.nbytes) == ((ROWS, 2), "float32", ROWS * 8)
    np.testing.assert_array_equal(column[:], expected)
    np.testing.assert_array_equal(column[np.array([3, 0])], expected[[3, 0]])
    assert arrays.digest(column) == arrays.digest(expected)
    assert arrays.scan(column).high == 1
    assert data.classes == {"y": ("no", "yes")}


HEAD = "x,word,y\n"
MISTAKES: dict[str, tuple[bytes, str, str, str]] = {
    "decimal comma": (b'1,a,1\n"1,5",a,1\n', "3:1", "mixed-column", "decimal point"),
    "decimal comma without quotes": (b"1,a,1\n1,5,a,1\n", "3:1", "bad-table", "decimal comma"),
    "thousands": (b'"1,234,567",a,1\n', "2:1", "mixed-column", "thousands separators"),
    "thousands and a point": (b'1,a,1\n2,b,"1,234.5"\n', "3:5", "mixed-column", "thousands"),
    "NA": (b"1,a,1\n1,a,NA\n", "3:5", "mixed-column", 'missing: ["NA"]'),
    "more digits than 64 bits hold": (
        b"1,a,1\n99999999999999999999,a,1\n",
        "3:1",
        "mixed-column",
        "18 digits",
    ),
    "a unit": (b"1,a,1\n2 kg,a,1\n", "3:1", "mixed-column", "dtype: string"),
    "a short row": (b"1,a,1\n1,a\n", "3:1", "bad-table", "one cell for each column"),
    "after lines in a cell": (b'1,"a\nb\nc",1\nz,a,1\n', "5:1", "mixed-column", "dtype: string"),
    "Latin-1": (b"1,caf\xe9,1\n", "2:6", "bad-table", "UTF-8"),
    "a byte 0": (b"1,a\0b,1\n", "2:4", "bad-table", "UTF-8"),
    "a quote inside": (b'1,5" pipe,1\n2,b,1\n', "2:4", "bad-table", "twice"),
    "a quote not closed": (b'1,a,1\n2,"b,1\n3,c,1\n', "3:3", "bad-table", ""),
    "a quote closed early": (b'1,"a" b,1\n2,c,1\n', "2:3", "bad-table", "twice"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("size", [20, 8 << 20])
def test_mistakes_in_cells(
    name: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, place, code, hint = MISTAKES[name]
    monkeypatch.setattr(delimited, "PART_BYTES", size)
    (tmp_path / "t.csv").write_bytes(HEAD.encode() + rows)
    _, [problem] = read(tmp_path / "t.csv")
    assert problem.span is not None
    assert f"{problem.span.line}:{problem.span.column}" == place
    assert problem.code == code
    assert hint in (problem.hint or "")
    assert problem.file == str(tmp_path / "t.csv")


WHOLE: dict[str, tuple[str, bytes, str]] = {
    "empty": ("t.csv", b"", "empty"),
    "a blank line": ("t.csv", b"\n", "empty"),
    "no header": ("t.csv", b"1,2,3\n4,5,6\n", "first line has numbers"),
    "equal headers": ("t.csv", b"x,word,x,y\n1,a,1,1\n", "two columns are called 'x'"),
    "equal but for a space": ("t.csv", b"x,word, x,y\n1,a,1,1\n", "two columns are called 'x'"),
    "UTF-16": ("t.csv", "x,word,y\n1,a,1\n".encode("utf-16"), "UTF-16"),
    "carriage returns alone": ("t.csv", b"x,word,y\r1,a,1\r", "carriage return"),
    "gzip": ("t.csv", b"\x1f\x8b\x08", "gzip"),
    "a workbook": ("t.csv", b"PK\x03\x04....", "workbook"),
    "not Parquet": ("t.parquet", b"x,word,y\n1,a,1\n", "not a Parquet file"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_mistakes_in_whole_tables(name: str, tmp_path: Path) -> None:
    file, content, message = WHOLE[name]
    (tmp_path / file).write_bytes(content)
    _, problems = read(tmp_path / file)
    assert [problem.code for problem in problems] == ["bad-table"]
    assert message in problems[0].message


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,wrod,y,more,other\n1,a,1,2,3\n")
    _, [problem] = read(tmp_path / "t.csv")
    assert problem.code == "missing-array"
    assert problem.hint is not None
    assert "wrod" in problem.hint
    _, [problem] = read(tmp_path / "no.csv")
    assert problem.code == "data-not-found"


def test_polars_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, [problem] = read(FORMS["csv"](tmp_path))
    assert problem.code == "missing-package"
    assert "keras-modelspec[tables]" in (problem.hint or "")
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)

import io
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelspec.data.arrays import digest, load, read_headers, scan, verify
from modelspec.data.npz import Member

DTYPES = ["?", "i1", "u1", "i2", "<i4", ">i4", "u8", "f2", "<f4", ">f4", "f8", "c8", "U5", "S3"]


def npy(array: Any, version: tuple[int, int] | None = None, **kwargs: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version=version, **kwargs)
    return file.getvalue()


def npy_with_header(header: str, data: bytes = b"") -> bytes:
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def archive(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def codes(path: Path) -> list[str]:
    _, problems = read_headers(path)
    assert all(problem.file == str(path) for problem in problems)
    return [problem.code for problem in problems]


def one(path: Path, name: str = "a") -> Member:
    members, problems = read_headers(path)
    assert problems == []
    return members[name]


def loaded(path: Path, name: str = "a") -> np.ndarray[Any, Any]:
    array, problems = load(one(path, name))
    assert problems == []
    assert array is not None
    return array


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_loads_what_numpy_loads(
    tmp_path: Path, dtype: str, order: Any, save: Callable[..., None]
) -> None:
    path = tmp_path / "x.npz"
    array = np.asarray(np.arange(24).reshape(2, 3, 4).astype(dtype), order=order)
    save(path, a=array, empty=array[:0], single=array[0, 0, 0])
    with np.load(path) as expected:
        for name in expected:
            got = loaded(path, name)
            np.testing.assert_array_equal(got, expected[name], strict=got.dtype.kind in "US")
            assert got.dtype == expected[name].dtype.newbyteorder("=")
            assert got.shape == expected[name].shape
            assert not got.flags.writeable


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_reads_every_version_of_the_header(tmp_path: Path, version: tuple[int, int]) -> None:
    path = archive(tmp_path / "x.npz", {"a.npy": npy([1, 2, 3], version)})
    assert loaded(path).tolist() == [1, 2, 3]


def test_stored_members_are_mapped_and_compressed_ones_are_not(tmp_path: Path) -> None:
    array = np.arange(1000, dtype=np.float32)
    np.savez(tmp_path / "stored.npz", first=array, a=array)
    np.savez_compressed(tmp_path / "packed.npz", a=array)
    assert isinstance(loaded(tmp_path / "stored.npz"), np.memmap)
    assert not isinstance(loaded(tmp_path / "packed.npz"), np.memmap)


def test_a_prefix_before_the_zip_shifts_the_map(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.npz", {"a.npy": npy([4, 5])})
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert loaded(path).tolist() == [4, 5]


def test_digest_knows_content_and_not_layout(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((300, 7))
    np.savez(tmp_path / "a.npz", a=array)
    np.savez_compressed(tmp_path / "b.npz", a=np.asfortranarray(array))
    np.savez(tmp_path / "c.npz", a=array.astype(">f8"))
    digests = {digest(loaded(tmp_path / f"{name}.npz")) for name in "abc"}
    assert digests == {digest(array)}
    assert len({digest(array), digest(array.reshape(7, 300)), digest(array.astype("f4"))}) == 3


# Files that are not npz files.


def test_missing_file(tmp_path: Path) -> None:
    assert codes(tmp_path / "none.npz") == ["data-not-found"]
    assert codes(Path("nul\0byte")) == ["data-not-found"]
    assert codes(tmp_path / ("long" * 100)) == ["data-unreadable"]


def test_folder(tmp_path: Path) -> None:
    assert codes(tmp_path) == ["not-npz"]


def test_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    assert codes(tmp_path / "x.npz") == ["not-npz"]


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", None),
        (b"PK\x03\x04 and no more", None),
        (b"a,b\n1,2\n", None),
        (npy([1]), "savez"),
        (b"\x1f\x8b\x08 gzip", "gunzip"),
        (pickle.dumps([1]), "never read"),
    ],
)
def test_other_formats(tmp_path: Path, content: bytes, hint: str | None) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    _, [problem] = read_headers(path)
    assert problem.code == "not-npz"
    assert (problem.hint is None) if hint is None else (hint in (problem.hint or ""))


def test_directory_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    name = "n" * 60_000
    archive(path, {f"{i}{name}.npy": b"" for i in range(20)})
    assert codes(path) == ["not-npz"]


def test_too_many_members(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.npz", {f"{i}.npy": b"" for i in range(10_001)})
    assert codes(path) == ["not-npz"]


# Wrong members; the name stays known, and the others stay readable.


BAD_MEMBERS: dict[str, tuple[str, bytes]] = {
    "pickled": ("pickled-array", npy(np.array([{}], object))),
    "pickled field": ("pickled-array", npy(np.zeros(1, [("x", object)]))),
    "empty": ("bad-array", b""),
    "no array": ("bad-array", b"hello"),
    "cut header": ("bad-array", npy([1])[:40]),
    "cut data": ("bad-array", npy(np.arange(9))[:-1]),
    "too much data": ("bad-array", npy(np.arange(9)) + b"x"),
    "version 9": ("bad-array", npy([1]).replace(b"\x93NUMPY\x01", b"\x93NUMPY\x09")),
    "negative": (
        "bad-array",
        npy_with_header("{'descr':'|u1','fortran_order':False,'shape':(-1,)}"),
    ),
    "two negatives": (
        "bad-array",
        npy_with_header("{'descr':'|u1','fortran_order':False,'shape':(-1,-4)}", b"1234"),
    ),
    "huge": (
        "bad-array",
        npy_with_header("{'descr':'<f8','fortran_order':False,'shape':(10**15,)}"),
    ),
    "huge without data": (
        "bad-array",
        npy_with_header(f"{{'descr':'<f8','fortran_order':False,'shape':({1 << 62},8,0)}}"),
    ),
    "endless integer": (
        "bad-array",
        npy_with_header(f"{{'descr':'<f8','fortran_order':False,'shape':(0x{'f' * 3900},)}}"),
    ),
    "no width": (
        "bad-array",
        npy_with_header(f"{{'descr':'|S0','fortran_order':False,'shape':({10**15},)}}"),
    ),
    "40 axes": (
        "bad-array",
        npy_with_header(f"{{'descr':'|u1','fortran_order':False,'shape':{(1,) * 40}}}", b"1"),
    ),
    "code": ("bad-array", npy_with_header("__import__('os').abort()")),
    "nested": ("bad-array", npy_with_header("-" * 4000 + "1")),
    "brackets": ("bad-array", npy_with_header("[" * 4000)),
    "long header": ("bad-array", npy_with_header(" " * 60_000 + "{}")),
    "bad dtype": ("bad-array", npy_with_header("{'descr':'zz','fortran_order':1,'shape':()}")),
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("case", BAD_MEMBERS)
def test_bad_member(tmp_path: Path, case: str, method: int) -> None:
    code, content = BAD_MEMBERS[case]
    path = archive(tmp_path / "x.npz", {"good.npy": npy([1]), "a.npy": content}, method)
    members, problems = read_headers(path)
    assert [problem.code for problem in problems] == [code]
    assert " a " in problems[0].message
    assert members["a"].broken
    assert loaded_value(members["good"]) == [1]


def loaded_value(member: Member) -> list[Any]:
    array, problems = load(member)
    assert array is not None, problems
    return list(array)


def test_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    path = archive(tmp_path / "x.npz", {"a.npy": npy(np.array([Trap()], object))})
    assert codes(path) == ["pickled-array"]
    assert not (tmp_path / "sprung").exists()


def test_structured_arrays_are_only_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(2, [("x", "i4"), ("y", "f8")]))
    assert loaded(tmp_path / "x.npz").dtype.names == ("x", "y")


def test_names_are_never_paths(tmp_path: Path) -> None:
    entries = {name: npy([1]) for name in ("../up.npy", "/root.npy", "a/b.npy", "C:\\x.npy")}
    path = archive(tmp_path / "x.npz", entries)
    members, problems = read_headers(path)
    assert problems == []
    assert {"../up", "/root", "a/b"} <= set(members)
    assert all(loaded_value(member) == [1] for member in members.values())
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("name", ["\x1b[31m.npy", "two\nlines.npy", "n" * 300 + ".npy"])
def test_names_that_no_terminal_should_show(tmp_path: Path, name: str) -> None:
    members, [problem] = read_headers(archive(tmp_path / "x.npz", {name: npy([1])}))
    assert problem.code == "bad-array"
    assert problem.message.isprintable()
    assert members == {}


def test_other_members_are_left_alone(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.npz", {"README.md": b"hi", "a.npy": npy([1])})
    members, [problem] = read_headers(path)
    assert (problem.code, problem.severity) == ("not-an-array", "warning")
    assert list(members) == ["a"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_members(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.npy", npy([1]))
        file.writestr("a.npy", npy([2]))
    assert codes(path) == ["duplicate-array"]


def test_encrypted_member(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.npz", {"a.npy": npy([1])})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert codes(path) == ["bad-array"]


def test_bomb_is_refused_by_its_directory_alone(tmp_path: Path) -> None:
    path, size = tmp_path / "x.npz", 257 << 20
    header = npy_with_header(f"{{'descr':'|u1','fortran_order':False,'shape':({size},)}}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", header + bytes(1000))
        file.infolist()[0].file_size = len(header) + size  # so the directory says
    assert codes(path) == ["zip-bomb"]


def flipped(path: Path, back: int) -> Path:
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") - back] ^= 0x55
    path.write_bytes(content)
    return path


def test_flipped_bytes_show_in_the_checksum(tmp_path: Path) -> None:
    data = npy(np.random.default_rng(0).random(5000))
    packed = archive(tmp_path / "packed.npz", {"a.npy": data}, zipfile.ZIP_DEFLATED)
    array, [problem] = load(one(flipped(packed, 900)))
    assert array is None
    assert problem.code == "bad-array"
    stored = flipped(archive(tmp_path / "stored.npz", {"a.npy": data}), 900)
    assert [problem.code for problem in verify(one(stored))] == ["bad-array"]


def test_file_that_changes_after_its_headers_were_read(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        path = tmp_path / "x.npz"
        save(path, a=np.arange(5000.0))
        member = one(path)
        path.write_bytes(path.read_bytes()[:1000])
        _, problems = load(member)
        assert [problem.code for problem in problems] == ["bad-array"]
        path.unlink()
        assert [problem.code for problem in load(member)[1]] == ["bad-array"]


def test_truncated_anywhere(tmp_path: Path) -> None:
    source = tmp_path / "x.npz"
    np.savez(source, a=np.arange(20), b=np.ones((2, 2)))
    content = source.read_bytes()
    for length in range(0, len(content), 7):
        source.write_bytes(content[:length])
        assert codes(source) == ["not-npz"]


def test_mutations_never_raise(tmp_path: Path) -> None:
    source, path, chance = tmp_path / "x.npz", tmp_path / "y.npz", random.Random(7)  # noqa: S311
    for save in (np.savez, np.savez_compressed):
        save(source, a=np.arange(30), b=np.asfortranarray(np.ones((3, 4))), c=np.array(["x"]))
        content = source.read_bytes()
        for _ in range(400):
            path.write_bytes(mutated(content, chance))
            members, _ = read_headers(path)
            for member in members.values():
                if not member.broken:
                    array, problems = load(member)
                    assert (array is None) == bool(problems)
                    verify(member)


def mutated(content: bytes, chance: random.Random) -> bytes:
    result = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        place = chance.randrange(len(result))
        match chance.randrange(4):
            case 0:
                del result[place:]
            case 1:
                del result[place : place + chance.randrange(1, 9)]
            case _:
                result[place] = chance.randrange(256)
        if not result:
            return b""
    return bytes(result)


# Summing up.


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "f4", "f8"])
def test_scan_agrees_with_numpy(dtype: str) -> None:
    array = (np.random.default_rng(1).random((7, 5)) * 9).astype(dtype)
    for layout in (array, np.asfortranarray(array), array[::2], array[:, 1:3], array[:0]):
        values = scan(layout, whole=True)
        if layout.size:
            assert (values.low, values.high) == (layout.min(), layout.max())
        assert values.not_finite == 0
        assert values.fractions == np.count_nonzero(layout != np.trunc(layout))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("order", ["C", "F"])
def test_scan_finds_the_first_row_across_blocks(
    monkeypatch: pytest.MonkeyPatch, order: Any, bad: float
) -> None:
    monkeypatch.setattr("modelspec.data.arrays._BLOCK", 64)
    array = np.zeros((50, 3, 2), order=order)
    array[40, 0, 0] = array[31, 2, 1] = bad
    array[20, 1, 0] = 0.5
    for layout in (array, array[:, ::2]):
        values = scan(layout, whole=True)
        assert (values.not_finite, values.first_not_finite) == (2, 31)
    assert scan(array[:30], whole=True).first_fraction == 20
    assert scan(array[:30]).first_fraction is None


def test_scan_leaves_out_what_is_ignored() -> None:
    values = scan(np.array([-1.5, 0, 3, -1.5]), whole=True, ignore=-1.5)
    assert (values.low, values.high, values.fractions) == (0, 3, 0)
    assert scan(np.array([255, 255]), ignore=255).low is None


def test_scan_of_an_enormous_empty_array_ends() -> None:
    assert scan(np.empty((10**15, 0))).high is None
    assert digest(np.empty((10**15, 0)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["metadata.json", "config.json", "model.weights.h5"], "the file is a Keras model"),
        (["[Content_Types].xml", "xl/workbook.xml"], "the file is an Excel file"),
    ],
)
def test_archives_of_other_programs(names: list[str], message: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "d.npz", dict.fromkeys(names, b"x"))
    members, [problem] = read_headers(path)
    assert (members, problem.code, problem.severity) == ({}, "not-npz", "error")
    assert problem.message.startswith(message)
    with_array = archive(tmp_path / "e.npz", {"config.json": b"x", "x.npy": npy([1.0])})
    assert codes(with_array) == ["not-an-array"]

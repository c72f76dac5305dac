"""npz files written piece by piece: whole, or not at all."""

import io
import resource
import tempfile
import tracemalloc
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelspec.data.arrays import load, read_headers
from modelspec.data.npz_writer import save_npz, send_npz
from modelspec.problems.errors import RunError
from modelspec.report.predictions import FirstRows

ARRAYS: dict[str, Any] = {
    "age": np.random.default_rng(0).random((23, 1)).astype("f4"),
    "a/b": np.random.default_rng(1).random((23, 4, 5)).astype("f2"),
    "id": np.arange(23),
    "right": np.arange(23) % 2 == 0,
    "none": np.zeros((23, 0), "f4"),
}


def pieces(arrays: Mapping[str, Any], rows: int = 5) -> Iterator[dict[str, Any]]:
    count = len(next(iter(arrays.values())))
    for start in range(0, count, rows):
        yield {name: array[start : start + rows] for name, array in arrays.items()}


def same(file: Any, arrays: Mapping[str, Any]) -> None:
    with np.load(file) as stored:
        assert stored.files == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(stored[name], array)
            assert stored[name].dtype == array.dtype


def test_numpy_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    save_npz(path, pieces(ARRAYS))
    same(path, ARRAYS)
    assert list(tmp_path.iterdir()) == [path]
    members, problems = read_headers(path)
    assert problems == []
    assert isinstance(load(members["age"])[0], np.memmap)


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    sent: list[list[bytes]] = [[], []]
    for rows, blocks in zip((5, 23), sent, strict=True):
        send_npz(blocks.append, pieces(ARRAYS, rows))
    one, two = map(b"".join, sent)
    assert one == two
    same(io.BytesIO(one), ARRAYS)
    (tmp_path / "s.npz").write_bytes(one)
    members, problems = read_headers(tmp_path / "s.npz")
    assert problems == []
    mapped, _ = load(members["a/b"])
    np.testing.assert_array_equal(mapped, ARRAYS["a/b"])


def test_texts_become_arrays_that_need_no_pickle(tmp_path: Path) -> None:
    words = np.array([b"one", b"", "zwölf".encode(), b"\xf0\x9f\x8e\x89 four"], object)
    save_npz(tmp_path / "p.npz", pieces({"word": words, "pair": words.reshape(4, 1)}, 1))
    expected = np.array(["one", "", "zwölf", "\U0001f389 four"])
    same(tmp_path / "p.npz", {"word": expected, "pair": expected.reshape(4, 1)})


def test_a_failure_midway_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    path.write_bytes(b"before")

    def failing() -> Iterator[dict[str, Any]]:
        yield from pieces(ARRAYS)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_npz(path, failing())
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize("size", [0, 100, 4000, 9000])
def test_disk_that_fills_up(tmp_path: Path, size: int) -> None:
    array = np.random.default_rng(0).random((100, 10))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(RunError, match=r"^cannot write .*p\.npz: File too large$"):
            save_npz(tmp_path / "p.npz", pieces({"a": array, "b": array}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_that_takes_no_more() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:

        def send(block: bytes) -> None:
            full.write(block)

        with pytest.raises(RunError, match=r"^cannot write the arrays: No space left on device$"):
            send_npz(send, pieces(ARRAYS))

    def left(block: bytes) -> None:
        raise BrokenPipeError(len(block))

    with pytest.raises(BrokenPipeError):
        send_npz(left, pieces(ARRAYS))


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    def untouched() -> Iterator[dict[str, Any]]:
        pytest.fail("nothing should be computed for a place that cannot be written")
        yield {}

    with pytest.raises(RunError, match=r"cannot write .*: No such file or directory"):
        save_npz(tmp_path / "none" / "p.npz", untouched())
    with pytest.raises(RunError, match=r"cannot write .*: it is a folder"):
        save_npz(tmp_path, untouched())


@pytest.mark.keras
def test_nothing_is_kept_in_memory_or_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def many() -> Iterator[dict[str, Any]]:
        for _ in range(64):
            yield {"a": np.ones(1 << 16), "b": np.ones(1 << 16)}
            assert list(tmp_path.iterdir()) == []

    tracemalloc.start()
    send_npz(deque[bytes](maxlen=0).append, many())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20, "of 64 MB"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows", [1, 3, 8, 23])
def test_first_rows(rows: int) -> None:
    first = FirstRows()
    passed = list(first.of(pieces(ARRAYS, rows)))
    assert len(passed) == -(-23 // rows)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(first.arrays[name], array[:8])

"""Concatenated arrays behave as the one array that nobody has made of them."""

import mmap
import os
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from modelspec.data.arrays import digest, load, read_headers, scan
from modelspec.data.concatenated import Concatenated
from modelspec.data.memory_maps import Scattered, scattered

LENGTHS = (3, 0, 5, 1, 0, 4)


def cut(array: np.ndarray[Any, Any]) -> Concatenated:
    return Concatenated(np.split(array, np.cumsum(LENGTHS)[:-1]))


@pytest.mark.parametrize("dtype", ["f4", "i8", "?", "U3", "S2"])
@pytest.mark.parametrize("sample", [(), (1,), (2, 3), (0,)])
def test_reads_as_one_array(dtype: str, sample: tuple[int, ...]) -> None:
    count = sum(LENGTHS)
    whole = np.resize(np.arange(97), (count, *sample)).astype(dtype)
    stacked = cut(whole)
    facts = ("shape", "dtype", "ndim", "size", "nbytes")
    assert [getattr(stacked, fact) for fact in facts] == [getattr(whole, fact) for fact in facts]
    assert len(stacked) == count
    slices = [slice(start, stop) for start in range(count + 2) for stop in (None, *range(-3, 15))]
    rows = [np.random.default_rng(n).integers(-count, count, n) for n in range(30)]
    indices: list[Any] = [*slices, slice(None, None, -2), *rows]
    for index in indices:
        np.testing.assert_array_equal(stacked[index], whole[index])
        assert stacked[index].dtype == whole.dtype
    assert digest(stacked) == digest(whole)


def test_a_run_inside_one_part_is_not_copied() -> None:
    parts = [np.zeros((4, 2)), np.zeros((4, 2))]
    stacked = Concatenated(parts)
    assert np.shares_memory(stacked[5:7], parts[1])
    assert not np.shares_memory(stacked[3:5], parts[1])


@pytest.mark.parametrize("width", [1, 700, 3000])
def test_mapped_parts_read_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Rows, whose pages are asked for first, out of files that memory has forgotten."""
    monkeypatch.setattr("modelspec.data.concatenated._SLOW_SECONDS", 0)
    whole = np.random.default_rng(0).integers(0, 99, (500, width), "u1")
    parts = []
    for number, rows in enumerate(np.split(whole, [3, 260])):
        np.savez(tmp_path / f"{number}.npz", x=rows)
        part, _ = load(read_headers(tmp_path / f"{number}.npz")[0]["x"])
        assert isinstance(part, np.memmap)
        parts.append(part)
        with (tmp_path / f"{number}.npz").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    for stacked, rows in ((Concatenated(parts), whole), (Concatenated(parts[2:]), whole[260:])):
        for seed in range(5):
            drawn = np.random.default_rng(seed).integers(0, len(rows), 200)
            np.testing.assert_array_equal(stacked[drawn], rows[drawn])
        assert digest(stacked) == digest(rows)


def test_only_pages_that_hold_rows_are_asked_for(tmp_path: Path) -> None:
    page = mmap.PAGESIZE
    np.savez(tmp_path / "d.npz", x=np.zeros((8, page), "u1"))
    part, _ = load(read_headers(tmp_path / "d.npz")[0]["x"])
    rows = scattered(part) if part is not None else None
    assert isinstance(rows, Scattered)
    rows._map = Mock()
    rows.fetch(np.array([6, 1, 2, 1]))
    asked = [advice.args for advice in rows._map.madvise.call_args_list]
    # The data starts inside a page, so that each row lies in two.
    assert asked == [
        (mmap.MADV_WILLNEED, page, 3 * page),
        (mmap.MADV_WILLNEED, 6 * page, 2 * page),
    ]


def test_rows_that_are_not_there() -> None:
    stacked = cut(np.arange(13))
    for rows in ([13], [-14], [0, 99]):
        with pytest.raises(IndexError):
            stacked[np.array(rows)]


def test_texts_are_as_wide_as_the_widest() -> None:
    stacked = Concatenated([np.array(["a", "bc"]), np.array(["defg"])])
    assert stacked.dtype == np.dtype("U4")
    assert stacked[:1].dtype == np.dtype("U4")
    assert stacked[np.array([2, 0])].tolist() == ["defg", "a"]
    assert digest(stacked) == digest(np.array(["a", "bc", "defg"]))


def test_digest_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelspec.data.arrays._BLOCK", 2)
    whole = np.random.default_rng(0).random((13, 7))
    assert digest(cut(whole)) == digest(whole)
    assert digest(Concatenated([np.asfortranarray(whole), whole])) == digest(
        np.vstack([whole, whole])
    )


@pytest.mark.parametrize("order", ["C", "F"])
def test_scan_counts_rows_through_the_parts(monkeypatch: pytest.MonkeyPatch, order: Any) -> None:
    monkeypatch.setattr("modelspec.data.arrays._BLOCK", 16)
    whole = np.arange(26.0).reshape(13, 2)
    whole[10, 1], whole[12, 0], whole[4, 0] = np.nan, np.inf, 0.5
    stacked = Concatenated([np.asarray(part, order=order) for part in cut(whole).parts])
    values = scan(stacked, whole=True)
    assert (values.not_finite, values.first_not_finite) == (2, 10)
    assert (values.fractions, values.first_fraction) == (1, 4)
    clean = np.arange(26).reshape(13, 2) / 4
    assert scan(cut(clean), whole=True) == scan(clean, whole=True)
    assert scan(Concatenated([whole[:4], whole[4:6]]), whole=True).first_fraction == 4

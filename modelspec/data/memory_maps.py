"""Memory-mapped files, and fast reading of scattered rows.

When a page of a mapped file is not in memory, the system also reads its neighbours. For a file
larger than memory, rows in random order would then take a hundred times their size. So they have a
separate mapping without this read-ahead, and all rows of a batch are requested at once, so that
the disk reads them in parallel.
"""

import errno
import mmap
import resource
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def mapped(
    file: str | Path,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    *,
    offset: int = 0,
    order: Literal["C", "F"] = "C",
) -> "np.memmap[Any, Any]":
    """Map the array in a file, read-only."""
    try:
        return np.memmap(file, dtype, "r", offset, shape, order)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
    # Python keeps a file open for each map, and only the shell's default limits them.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return np.memmap(file, dtype, "r", offset, shape, order)


class Scattered:
    """A mapped array, in C order, whose rows are read in any order."""

    def __init__(self, array: "np.memmap[Any, Any]") -> None:
        assert array.filename is not None
        own = mapped(array.filename, array.dtype, array.shape, offset=array.offset)
        base: Any = own.base  # the base of the array; for a mapped file, its map
        assert isinstance(base, mmap.mmap)
        self._map = base
        self._map.madvise(mmap.MADV_RANDOM)
        self._start = array.offset % mmap.ALLOCATIONGRANULARITY
        self._row = array.nbytes // len(array)
        self._array = np.asarray(own)

    def __getitem__(self, rows: Array) -> Array:
        return self._array[rows]

    def fetch(self, rows: Array) -> None:
        """Ask the system to read the pages of some rows, without waiting for them."""
        rows = np.sort(rows).astype(np.int64)
        first = (self._start + rows * self._row) // mmap.PAGESIZE
        last = (self._start + (rows + 1) * self._row - 1) // mmap.PAGESIZE
        gaps = np.flatnonzero(first[1:] > last[:-1] + 1) + 1
        starts, ends = first[np.append(0, gaps)], last[np.append(gaps - 1, -1)] + 1
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            length = (end - start) * mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, start * mmap.PAGESIZE, length)


def scattered(array: Array) -> "Scattered | Array":
    """Return an object to read rows from in any order; ``array`` itself if it is not mapped."""
    if isinstance(array, np.memmap) and array.flags.c_contiguous and array.nbytes:
        # A file of the cache may be deleted by now, but its mapping stays valid.
        with suppress(OSError):
            return Scattered(array)
    return np.asarray(array)

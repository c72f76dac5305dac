"""Arrays with the same name from several files, indexed as one array without copying."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from modelspec.data.memory_maps import Scattered, scattered

Array = npt.NDArray[Any]

# Reading a row from memory takes a tenth of that, from a fast disk five times as much.
_SLOW_SECONDS = 2e-5
_PROBED = 64

_STACKED_BYTES = 16 << 20

Rows = npt.NDArray[np.int32] | npt.NDArray[np.int64]


class Column(Protocol):
    """An array whose rows are read on demand: mapped, or stacked.

    The first axis is the sample; indexing returns NumPy arrays.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice | Rows, /) -> Array: ...


class _Shaped:
    """Properties of an array that follow from its shape and dtype, before it is created."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]


class Concatenated(_Shaped):
    """Arrays of equal samples, one after the other along the first axis, without a copy.

    A large array benefits even alone: its rows are read efficiently in any order. Texts of several
    widths are read with the largest width. ``files`` names the source of each part.
    """

    def __init__(self, parts: Sequence[Array], files: Sequence[str] = ()) -> None:
        self.files = tuple(files)
        # A plain view, because every index into a memmap inspects its map again.
        self.parts = tuple(np.asarray(part) for part in parts)
        self._scattered = tuple(map(scattered, parts))
        self.stops = np.cumsum([len(part) for part in self.parts], dtype=np.int64)
        self.starts = self.stops - [len(part) for part in self.parts]
        self.dtype = np.result_type(*(part.dtype for part in self.parts))
        self.shape = (int(self.stops[-1]), *self.parts[0].shape[1:])

    def __getitem__(self, rows: slice | Rows, /) -> Array:
        """Return rows by their numbers; consecutive rows of one part are a view.

        Raises:
            IndexError: There is no such row.
        """
        if not isinstance(rows, slice):
            return self._gather(np.asarray(rows))
        start, stop, step = rows.indices(len(self))
        if step == 1:
            return self._run(start, stop)
        return self._gather(np.arange(start, stop, step))

    def _run(self, start: int, stop: int) -> Array:
        first = int(np.searchsorted(self.stops, start, side="right"))
        pieces = []
        while first < len(self.parts) and self.starts[first] < stop:
            offset = int(self.starts[first])
            pieces.append(self.parts[first][max(start - offset, 0) : stop - offset])
            first += 1
        if not pieces:
            return np.empty((0, *self.shape[1:]), self.dtype)
        return (pieces[0] if len(pieces) == 1 else np.concatenate(pieces)).astype(
            self.dtype, copy=False
        )

    def _gather(self, rows: Array) -> Array:
        rows = np.where(rows < 0, rows + len(self), rows)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows {rows.min()}..{rows.max()} of an array of {len(self)}")
        if len(rows) > _PROBED and self._is_slow(rows[:_PROBED]):
            for part, where in self._by_part(rows):
                source = self._scattered[part]
                if isinstance(source, Scattered):
                    source.fetch(rows[where] - self.starts[part])
        return self._take(rows)

    def _is_slow(self, rows: Array) -> bool:
        """Return True where rows come from the disk; it decides how they are read, not which."""
        started = time.perf_counter()
        self._take(rows)
        return time.perf_counter() - started > len(rows) * _SLOW_SECONDS

    def _take(self, rows: Array) -> Array:
        if len(self.parts) == 1:
            return self._scattered[0][rows]
        taken = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for part, where in self._by_part(rows):
            taken[where] = self._scattered[part][rows[where] - self.starts[part]]
        return taken

    def _by_part(self, rows: Array) -> Iterator[tuple[int, Array]]:
        """Yield each part that contains some of the rows, and those rows."""
        which = np.searchsorted(self.stops, rows, side="right")
        order = np.argsort(which, kind="stable")
        for where in np.split(order, np.flatnonzero(np.diff(which[order])) + 1):
            if len(where):
                yield int(which[where[0]]), where


class Stacked(_Shaped):
    """Columns side by side along a new last axis; rows are stacked on demand."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.dtype = np.result_type(*(column.dtype for column in columns))
        self.shape = (*columns[0].shape, len(columns))

    def __getitem__(self, rows: slice | Rows, /) -> Array:
        stacked: Array = np.stack([column[rows] for column in self.columns], -1)
        return stacked.astype(self.dtype, copy=False)


def parts(array: Column) -> Iterator[tuple[int, Array]]:
    """Yield the plain arrays of which ``array`` consists, with the numbers of their first rows."""
    if isinstance(array, Concatenated):
        yield from zip(map(int, array.starts), array.parts, strict=True)
    elif not isinstance(array, np.ndarray):
        step = max(1, _STACKED_BYTES * len(array) // max(array.nbytes, 1))
        for start in range(0, len(array), step):
            yield start, array[start : start + step]
    else:
        yield 0, np.asarray(array)

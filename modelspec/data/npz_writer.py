"""npz files written while their rows are computed, so that no whole array is in memory."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from modelspec.data.concatenated import Array
from modelspec.data.npz import one_line
from modelspec.problems.errors import RunError
from modelspec.storage.atomic import replacing

Pieces = Iterable[Mapping[str, Array]]
"""Parts of the same arrays, by name; each continues the rows of the part before."""


def save_npz(path: Path, pieces: Pieces) -> None:
    """Write the arrays to a file, uncompressed; completely or not at all.

    Raises:
        RunError: The file cannot be written.
    """
    if path.is_dir():
        raise RunError(f"cannot write {path}: it is a folder")
    try:
        with replacing(path) as aside, aside.open("wb") as file:
            _write(file, pieces, path.parent)
    except OSError as error:
        raise RunError(f"cannot write {path}: {one_line(error)}") from error


def send_npz(send: Callable[[bytes], None], pieces: Pieces) -> None:
    """Send the bytes of the file in order, after all rows are computed.

    Raises:
        BrokenPipeError: The reader closed the pipe.
        RunError: The bytes cannot be written, or there is no room for the rows until then.
    """
    try:
        _write(cast("IO[bytes]", _Sink(send)), pieces, Path(tempfile.gettempdir()))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunError(f"cannot write the arrays: {one_line(error)}") from error


class _Sink:
    """A file that cannot seek, so that zipfile does not try to."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send

    def write(self, data: bytes) -> int:
        self._send(data)
        return len(data)

    def flush(self) -> None: ...


def _write(file: IO[bytes], pieces: Pieces, folder: Path) -> None:
    """Write the arrays one after the other, as a zip requires; later ones wait in ``folder``.

    The files there have no names, so that none remains, however the process ends.
    """
    spools: dict[str, _Spool] = {}
    with ExitStack() as stack:
        for piece in pieces:
            for name, rows in piece.items():
                if name not in spools:
                    spools[name] = _Spool(stack.enter_context(tempfile.TemporaryFile(dir=folder)))
                spools[name].add(rows)
        with ZipFile(file, "w") as npz:
            for name, spool in spools.items():
                with npz.open(f"{name}.npy", "w", force_zip64=True) as member:
                    spool.copy(member)
                spool.file.close()


class _Spool:
    """The rows of one array, on the disk."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.runs: list[tuple[np.dtype[Any], tuple[int, ...]]] = []

    def add(self, rows: Array) -> None:
        plain = _text(rows) if rows.dtype.kind == "O" else rows
        self.runs.append((plain.dtype, plain.shape))
        self.file.write(plain.tobytes())

    def copy(self, member: IO[bytes]) -> None:
        """Write the array as a .npy file; texts as wide as the widest of them."""
        dtype = np.result_type(*(dtype for dtype, _ in self.runs))
        shape = (sum(shape[0] for _, shape in self.runs), *self.runs[0][1][1:])
        descr = npy.dtype_to_descr(dtype)
        npy.write_array_header_1_0(member, {"descr": descr, "fortran_order": False, "shape": shape})
        for rows in self._rows():
            member.write(rows.astype(dtype, copy=False).tobytes())

    def _rows(self) -> Iterator[Array]:
        self.file.seek(0)
        for dtype, shape in self.runs:
            count = int(np.prod(shape))
            yield np.frombuffer(self.file.read(count * dtype.itemsize), dtype)


def _text(rows: Array) -> Array:
    """Convert TensorFlow's texts, which are objects in NumPy and could only be pickled."""
    return np.char.decode(rows.astype("S"), "utf-8")

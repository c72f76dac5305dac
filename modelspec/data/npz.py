"""npz files: their arrays, from the headers alone; values in a header are not trusted."""

import io
import math
import struct
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy

from modelspec.data.memory_maps import Array
from modelspec.data.npz_faults import (
    NAME_LIMIT,
    Fault,
    Header,
    bomb,
    diagnostic,
    is_tight,
    pickled,
    short,
    unknown_method,
    wrong_size,
)
from modelspec.problems.diagnostic import Diagnostic

_DIRECTORY_LIMIT = 1 << 20
_MEMBER_LIMIT = 10_000
_HEADER_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Member:
    """One array of an npz file, as its header declares it.

    ``dtype`` is as stored, so its byte order may be foreign. ``skip`` is the length in bytes of the
    header before the data, ``offset`` the position in ``file`` where the data starts, None if it is
    compressed; ``checksum`` is the CRC-32 of both. A ``broken`` member only keeps its name known,
    so that it is not also reported missing. ``held`` is the array itself, where it comes from
    memory. A column of a ``table`` has no dtype and no shape until its cells are read.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    file: Path
    skip: int = 0
    offset: int | None = None
    checksum: int = 0
    broken: bool = False
    held: Array | None = field(default=None, compare=False, repr=False)
    table: bool = False

    @property
    def entry(self) -> str:
        return f"{self.name}.npy"

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def mappable(self) -> bool:
        """True where the data is stored as it is used: uncompressed, in native byte order."""
        return self.held is not None or (self.offset is not None and self.dtype.isnative)


class _Reader(io.FileIO):
    """Refuses the only read whose size zipfile takes from the file: that of its directory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY_LIMIT:
            raise ValueError(f"a read of {size} bytes at once")
        return super().read(-1 if size is None else size) or b""


@contextmanager
def open_npz(path: Path) -> Iterator[ZipFile]:
    """Open the zip file at ``path``; reads of more than 1 MiB at once raise ValueError."""
    with _Reader(path) as file, ZipFile(file) as npz:
        yield npz


def read_headers(path: Path) -> tuple[dict[str, Member], list[Diagnostic]]:
    """Return the arrays of the npz file at ``path`` by name, without reading their data."""
    fault = _not_a_file(path)
    if fault is None:
        try:
            with open_npz(path) as npz:
                return _read_members(npz, path)
        # zipfile raises a dozen types at bytes gone wrong, from struct.error to RecursionError.
        except Exception as error:  # noqa: BLE001
            fault = Fault("not-npz", f"the npz file is incomplete or damaged: {one_line(error)}")
    return {}, [diagnostic(fault, path)]


def one_line(error: Exception) -> str:
    """Return the message of an exception, on one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _not_a_file(path: Path) -> Fault | None:
    try:
        if path.is_dir():
            return Fault("not-npz", "this is a folder, not an npz file")
        if not path.exists():
            return Fault("data-not-found", "there is no such file")
        if not path.is_file():
            return Fault("not-npz", "this is not a regular file, so its arrays cannot be located")
        with path.open("rb") as file:
            return _wrong_magic(file.read(8))
    except (OSError, ValueError) as error:
        return Fault("data-unreadable", f"the file cannot be read: {one_line(error)}")


def _wrong_magic(start: bytes) -> Fault | None:
    known = {
        b"\x93NUMPY": ("a single .npy array", "save named arrays with numpy.savez"),
        b"\x1f\x8b": ("compressed with gzip", "unpack it with gunzip first"),
        b"\x89HDF": ("an HDF5 file", "save its arrays with numpy.savez"),
        b"\x80": ("a pickle", "pickles are never read; save the arrays with numpy.savez"),
    }
    for magic, (what, hint) in known.items():
        if start.startswith(magic):
            return Fault("not-npz", f"the file is {what}, not an npz file", hint)
    return None if start else Fault("not-npz", "the file is empty")


def _read_members(npz: ZipFile, path: Path) -> tuple[dict[str, Member], list[Diagnostic]]:
    infos = npz.infolist()
    if len(infos) > _MEMBER_LIMIT:
        message = f"the file holds {len(infos)} members, but at most {_MEMBER_LIMIT} are allowed"
        return {}, [diagnostic(Fault("not-npz", message), path)]
    if fault := _other_archive({info.filename for info in infos}):
        return {}, [diagnostic(fault, path)]
    members: dict[str, Member] = {}
    problems = []
    tight = sum(info.file_size for info in infos if is_tight(info))
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name == info.filename:
            problems.append(_not_an_array(info, path))
        elif not name.isprintable() or len(name) > NAME_LIMIT:
            fault = Fault("bad-array", f"{short(name)} is not a valid name for an array")
            problems.append(diagnostic(fault, path))
        elif name not in members:
            members[name], fault_or_none = _read_member(npz, info, name, path, tight)
            problems += [diagnostic(fault_or_none, path)] if fault_or_none else []
    return members, [*problems, *_duplicates(infos, members, path)]


def _other_archive(names: Collection[str]) -> Fault | None:
    """Return the problem of a zip archive without arrays that another program wrote."""
    if any(name.endswith(".npy") for name in names):
        return None
    known = {
        "config.json": ("a Keras model", "modelspec evaluate and predict take it before --data"),
        "xl/workbook.xml": ("an Excel file", "save the table as CSV"),
    }
    for name, (what, hint) in known.items():
        if name in names:
            return Fault("not-npz", f"the file is {what}, but data must be an npz file", hint)
    return None


def _read_member(
    npz: ZipFile, info: ZipInfo, name: str, path: Path, tight: int
) -> tuple[Member, Fault | None]:
    broken = Member(name, np.dtype("V1"), (), fortran=False, file=path, broken=True)
    if fault := unknown_method(info, name) or bomb(info, name, tight):
        return broken, fault
    try:
        with npz.open(info) as entry:
            header = _read_header(entry)
        offset = data_offset(npz, info) if info.compress_type == ZIP_STORED else None
        fault = pickled(header, name) or wrong_size(header, info, name)
    # zlib, the tokenizer, ast and NumPy raise exceptions of many types here.
    except Exception as error:  # noqa: BLE001
        fault = Fault("bad-array", f"array {name} cannot be read: {one_line(error)}")
    if fault:
        return broken, fault
    start = None if offset is None else offset + header.length
    return Member(
        name, header.dtype, header.shape, header.fortran, path, header.length, start, info.CRC
    ), None


def _read_header(entry: IO[bytes]) -> Header:
    # A copy of limited size, because the length of the header also comes from the file.
    start = io.BytesIO(entry.read(_HEADER_LIMIT))
    major, _ = npy.read_magic(start)
    if major not in (1, 2, 3):
        raise ValueError(f"the .npy format has no version {major}")
    # Version 3 differs from 2 only in the encoding of field names, which are not used here.
    read = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape, fortran, dtype = read(start, max_header_size=_HEADER_LIMIT)
    return Header(shape, fortran, dtype, start.tell())


def data_offset(npz: ZipFile, info: ZipInfo) -> int:
    """Return the offset of a stored member's data, behind a local header of unlisted length."""
    file = npz.fp
    if file is None:
        raise ValueError("the file is closed")
    file.seek(info.header_offset)
    local = file.read(30)
    name, extra = struct.unpack("<HH", local[26:30])
    offset = info.header_offset + len(local) + int(name) + int(extra)
    if offset + info.file_size > file.seek(0, io.SEEK_END):
        raise ValueError("it runs past the end of the file")
    return offset


def _not_an_array(info: ZipInfo, path: Path) -> Diagnostic:
    message = f"{short(info.filename)} is not a .npy array and is not used"
    return Diagnostic("not-an-array", message, severity="warning", file=str(path))


def _duplicates(
    infos: list[ZipInfo], members: dict[str, Member], path: Path
) -> Iterator[Diagnostic]:
    counts = Counter(info.filename.removesuffix(".npy") for info in infos)
    for name in members:
        if counts[name] > 1:
            message = f"the file holds {counts[name]} members named {name}"
            yield diagnostic(Fault("duplicate-array", message), path)

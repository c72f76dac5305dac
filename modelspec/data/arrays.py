"""Arrays from npz files: memory-mapped or read, hashed, and scanned in bounded memory."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from modelspec.data.concatenated import Array, Column, parts
from modelspec.data.memory_maps import mapped
from modelspec.data.npz import Member, one_line, open_npz, read_headers
from modelspec.data.npz_contents import contents
from modelspec.data.unpacking import NoRoomError, folder, unpack
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.units import size

__all__ = [
    "Array",
    "Member",
    "Values",
    "digest",
    "load",
    "read_headers",
    "row_blocks",
    "scan",
    "verify",
]

IN_MEMORY = 256 << 20
"""The bytes of compressed arrays kept in memory; larger arrays are unpacked to the disk."""

# Small enough to stay in a core's cache between two passes over a block.
_BLOCK = 1 << 20


def load(member: Member, room: int = IN_MEMORY) -> tuple[Array | None, list[Diagnostic]]:
    """Load the array in native byte order, read-only; mapped where it is stored uncompressed.

    A compressed array, or one of foreign byte order, is unpacked: into memory, where it needs no
    more than ``room`` bytes, and otherwise into the cache folder, where it is mapped.
    """
    try:
        if member.held is not None:
            array = member.held.view()
        elif member.mappable:
            array = _map(member, member.file, member.offset or 0)
        elif member.nbytes <= room:
            array = _unpack(member)
        else:
            array = _map(member, unpack(member), 0)
    except NoRoomError as error:
        return None, [_no_room(member, error)]
    # The bytes may be invalid for zipfile, zlib or lzma, or deleted since the headers were read.
    except Exception as error:  # noqa: BLE001
        return None, [_unreadable(member, error)]
    array.flags.writeable = False
    return array, []


def verify(member: Member) -> list[Diagnostic]:
    """Read all bytes of the array to compare their checksum, which mapping skips."""
    try:
        with open_npz(member.file) as npz, npz.open(member.entry) as entry:
            while entry.read(_BLOCK):
                pass
    except Exception as error:  # noqa: BLE001
        return [_unreadable(member, error)]
    return []


def _unreadable(member: Member, error: Exception) -> Diagnostic:
    message = f"array {member.name} cannot be read: {one_line(error)}"
    return Diagnostic("bad-array", message, file=str(member.file))


def _no_room(member: Member, error: NoRoomError) -> Diagnostic:
    message = (
        f"array {member.name} is compressed, and its {size(member.nbytes)} cannot be unpacked "
        f"to {folder()}: {error}"
    )
    hint = (
        "save it uncompressed, with numpy.savez, which needs no unpacking; "
        "or set XDG_CACHE_HOME to a folder with more space"
    )
    return Diagnostic("array-too-large", message, hint=hint, file=str(member.file))


def _map(member: Member, file: Path, offset: int) -> Array:
    order: Literal["C", "F"] = "F" if member.fortran else "C"
    dtype = member.dtype.newbyteorder("=")
    if not member.nbytes:  # a file of zero bytes cannot be mapped
        return np.empty(member.shape, dtype, order=order)
    return mapped(file, dtype, member.shape, offset=offset, order=order)


def _unpack(member: Member) -> Array:
    data = np.empty(member.nbytes, np.uint8)
    done = 0
    for block in contents(member):  # up to the end, where zipfile compares the checksum
        data[done : done + len(block)] = np.frombuffer(block, np.uint8)
        done += len(block)
    order: Literal["C", "F"] = "F" if member.fortran else "C"
    return np.ndarray(member.shape, member.dtype.newbyteorder("="), data, order=order)


def digest(array: Column) -> str:
    """Return the SHA-256 over dtype, shape and elements in C order, whatever the memory layout."""
    little = array.dtype.newbyteorder("<")
    sha = hashlib.sha256(f"{little.str} {array.shape} ".encode())
    for rows in row_blocks(array, 16 * _BLOCK):
        sha.update(rows.astype(little, copy=False).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class Values:
    """Facts about the values of an array of numbers. Rows are indices along the first axis.

    ``low`` and ``high`` are None where no value is finite; fractions are searched only on request.
    ``fractions`` and ``not_finite`` count elements.
    """

    low: float | None = None
    high: float | None = None
    not_finite: int = 0
    first_not_finite: int | None = None
    fractions: int = 0
    first_fraction: int | None = None


def scan(
    array: Column, *, whole: bool = False, ignore: float | None = None, nan: bool = False
) -> Values:
    """Scan real numbers or booleans once, in blocks, so that a mapped file is not read into memory.

    ``whole`` searches for fractions; elements equal to ``ignore``, and with ``nan`` those that are
    NaN, are left out.
    """
    total = Values()
    for first, part in parts(array):
        for block, rows in _blocks(part, first):
            total = _merged(total, _scan_block(block, rows, whole=whole, ignore=ignore, nan=nan))
    return total


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of the elements of a flat block; ``width`` is the number of elements in a row.

    ``first_row`` is the number of the part's first row in the whole array, ``start`` that of the
    block's first element in the part, and ``count`` the number of the part's rows.
    """

    first_row: int
    start: int
    width: int
    count: int
    fortran: bool

    def first(self, where: Array) -> int:
        if not self.fortran:
            return self.first_row + (self.start + int(where.argmax())) // self.width
        return self.first_row + int(((np.flatnonzero(where) + self.start) % self.count).min())


def _blocks(array: Array, first_row: int) -> Iterator[tuple[Array, _Rows]]:
    """Yield the elements in flat, aligned blocks, in the order of their addresses."""
    if not array.size:
        return
    array = np.atleast_1d(array)
    count, width = len(array), array.size // len(array)
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        start = 0
        for block in row_blocks(array, _BLOCK):
            yield block.reshape(-1), _Rows(first_row, start, width, count, fortran=False)
            start += block.size
        return
    fortran = not array.flags.c_contiguous
    flat = (array.T if fortran else array).reshape(-1)
    step = max(1, _BLOCK // array.itemsize)
    for start in range(0, flat.size, step):
        # Data in a zip file has no alignment, and NumPy is several times slower without it.
        block = np.require(flat[start : start + step], requirements="A")
        yield block, _Rows(first_row, start, width, count, fortran)


def row_blocks(array: Column, length: int) -> Iterator[Array]:
    """Yield consecutive rows of about ``length`` bytes, contiguous in C order."""
    if isinstance(array, np.ndarray):
        array = np.atleast_1d(np.asarray(array))
    if not array.size:
        return
    step = max(1, length * len(array) // array.nbytes)
    for start in range(0, len(array), step):
        yield np.ascontiguousarray(array[start : start + step])


def _scan_block(
    block: Array, rows: _Rows, *, whole: bool, ignore: float | None, nan: bool
) -> Values:
    counted = block if ignore is None else block[block != ignore]
    if nan and block.dtype.kind == "f":
        counted = counted[~np.isnan(counted)]
    if not counted.size:
        return Values()
    with np.errstate(invalid="ignore"):
        low, high = counted.min().item() + 0, counted.max().item() + 0  # booleans become ints
    if not (math.isfinite(low) and math.isfinite(high)):  # also for NaN
        bad = np.isinf(block) if nan else ~np.isfinite(block)
        return Values(not_finite=int(np.count_nonzero(bad)), first_not_finite=rows.first(bad))
    if not whole or block.dtype.kind != "f":
        return Values(low, high)
    fraction = (block != np.trunc(block)) & ~np.isnan(block)
    if ignore is not None:
        fraction &= block != ignore
    count = int(np.count_nonzero(fraction))
    return Values(
        low, high, fractions=count, first_fraction=rows.first(fraction) if count else None
    )


def _merged(one: Values, other: Values) -> Values:
    return Values(
        _least(one.low, other.low),
        _most(one.high, other.high),
        one.not_finite + other.not_finite,
        _first(one.first_not_finite, other.first_not_finite),
        one.fractions + other.fractions,
        _first(one.first_fraction, other.first_fraction),
    )


def _least(one: float | None, other: float | None) -> float | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _most(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _first(one: int | None, other: int | None) -> int | None:
    return min((row for row in (one, other) if row is not None), default=None)

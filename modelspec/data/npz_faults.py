"""Faults of the members of an npz file, found in their headers."""

import math
import sys
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

import numpy as np

from modelspec.problems.diagnostic import Diagnostic

NAME_LIMIT = 200
_AXIS_LIMIT = 32
# Deflate compresses runs up to a thousandfold; one-hot rows, the most regular real data, 400-fold.
_BOMB_RATIO = 500
_BOMB_SIZE = 256 << 20


class Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    length: int


class Fault(NamedTuple):
    code: str
    message: str
    hint: str | None = None


def pickled(header: Header, name: str) -> Fault | None:
    if not header.dtype.hasobject:
        return None
    message = f"array {name} holds pickled Python objects, which are never read"
    return Fault(
        "pickled-array",
        message,
        "save text as array.astype(str), numbers as array.astype('float32'), and lists of several "
        "lengths filled up with zeros: keras.utils.pad_sequences(array, padding='post')",
    )


def wrong_size(header: Header, info: ZipInfo, name: str) -> Fault | None:
    shape, itemsize = header.shape, header.dtype.itemsize
    if len(shape) > _AXIS_LIMIT or not all(0 <= size <= sys.maxsize for size in shape):
        return Fault("bad-array", f"array {name} declares an impossible shape: {short(shape)}")
    # NumPy itself refuses what an index cannot count, even where an axis of 0 leaves no data.
    if not itemsize or math.prod(size or 1 for size in shape) * itemsize > sys.maxsize:
        return Fault("bad-array", f"array {name} declares an impossible size: {short(shape)}")
    declared = math.prod(shape) * itemsize
    held = info.file_size - header.length
    if held == declared:
        return None
    message = f"array {name} declares {declared} bytes of data, but the file holds {held}"
    return Fault("bad-array", message)


def unknown_method(info: ZipInfo, name: str) -> Fault | None:
    """Refuse other compressions: zipfile unpacks a whole bzip2 or LZMA bomb at the first read."""
    if info.compress_type in {ZIP_STORED, ZIP_DEFLATED}:
        return None
    message = (
        f"array {name} is compressed by method {info.compress_type}, which npz files do not use"
    )
    return Fault("bad-array", message, "save it again with numpy.savez_compressed")


def is_tight(info: ZipInfo) -> bool:
    """Return True where a member is compressed as far as only a bomb or equal values are."""
    packed = max(info.compress_size, 1)
    return info.compress_type != ZIP_STORED and info.file_size > _BOMB_RATIO * packed


def bomb(info: ZipInfo, name: str, tight: int) -> Fault | None:
    """Refuse a bomb; ``tight`` is the unpacked size in bytes of all such members of the file."""
    if not is_tight(info) or tight <= _BOMB_SIZE:
        return None
    message = (
        f"array {name} unpacks from {info.compress_size} bytes to {info.file_size}, "
        "which is typical of a zip bomb"
    )
    return Fault(
        "zip-bomb", message, "if the array is correct, save it uncompressed, with numpy.savez"
    )


def short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= NAME_LIMIT else f"{text[:NAME_LIMIT]}…"


def diagnostic(fault: Fault, path: Path) -> Diagnostic:
    return Diagnostic(fault.code, fault.message, hint=fault.hint, file=str(path))

"""The HDF5 file with the weights, alone or inside of an archive, opened without unpacking it."""

import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from modelspec.data.npz import data_offset, open_npz
from modelspec.graph.naming import snake_case
from modelspec.storage.hdf5 import hdf5
from modelspec.weights.stored import (
    EXPANSION,
    EXPANSION_FLOOR,
    KINDS,
    ONE_WEIGHT,
    UnsafeFileError,
    WeightFileError,
)

WEIGHTS = "model.weights.h5"
_CONFIG = "config.json"
_CONFIG_LIMIT = 64 << 20


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, list[str]]]:
    """Open the HDF5 file; yield it with the names of the layers if an archive has them."""
    with path.open("rb") as start:
        archived = start.read(2) == b"PK"
    if not archived:
        with hdf5().File(path, "r") as file:
            yield file, []
        return
    with open_npz(path) as archive, _member(archive, path) as raw, hdf5().File(raw, "r") as file:
        yield file, _layer_names(archive)


@contextmanager
def _member(archive: ZipFile, path: Path) -> Iterator[Any]:
    names = archive.namelist()
    if WEIGHTS not in names:
        torch = any(name.endswith("data.pkl") for name in names)
        npz = any(name.endswith(".npy") for name in names)
        what = "a PyTorch file" if torch else "an npz file" if npz else "not a Keras model"
        hint = ONE_WEIGHT if npz else KINDS
        raise WeightFileError(f"{path} is {what}: it has no {WEIGHTS}", hint)
    info = archive.getinfo(WEIGHTS)
    if info.file_size > EXPANSION_FLOOR and info.file_size > EXPANSION * info.compress_size:
        raise UnsafeFileError(
            f"{path}: {WEIGHTS} unpacks from {info.compress_size:,} bytes to {info.file_size:,}, "
            "which is typical of a zip bomb"
        )
    if info.compress_type == ZIP_STORED:
        with path.open("rb") as file:
            yield _Window(file, data_offset(archive, info), info.file_size)
        return
    with tempfile.TemporaryFile() as unpacked, archive.open(info) as packed:
        while piece := packed.read(1 << 20):
            unpacked.write(piece)
        yield unpacked


class _Window(io.RawIOBase):
    """A part of a file as a file of its own: h5py seeks often, which is slow in zipfile."""

    def __init__(self, file: Any, offset: int, size: int) -> None:
        self._file, self._offset, self._size, self._at = file, offset, size, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        self._file.seek(self._offset + self._at)
        piece = self._file.read(min(len(buffer), max(self._size - self._at, 0)))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _layer_names(archive: ZipFile) -> list[str]:
    """Return the layers in an archive's config by group: files of Keras before 3.9 need them."""
    try:
        info: ZipInfo = archive.getinfo(_CONFIG)
        with archive.open(info) as member:
            config = json.loads(bounded(member, _CONFIG_LIMIT))
        layers = config["config"]["layers"]
        named = [(layer["class_name"], layer["config"]["name"]) for layer in layers]
        return [f"{snake_case(kind)}\0{name}" for kind, name in named]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return []


def bounded(member: IO[bytes], limit: int) -> bytes:
    """Read at most ``limit`` bytes of a member, in the pieces that ``open_npz`` allows."""
    pieces: list[bytes] = []
    while limit > 0 and (piece := member.read(min(limit, 1 << 20))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)

"""Files with the weights of a Keras model, read as data: nothing in them is built or run.

A ``.weights.h5`` file, or the one inside a ``.keras`` archive, holds an array for each weight, in a
group for each layer. The headers are read first, with bounds on everything that the file says of
itself; values are read later, once their shapes are known to fit.
"""

import io
import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from modelspec.data.concatenated import Array
from modelspec.data.npz import data_offset, open_npz
from modelspec.graph.naming import snake_case
from modelspec.weights.legacy import LEGACY, is_legacy, legacy_arrays

WEIGHTS = "model.weights.h5"
_CONFIG = "config.json"
_CONFIG_LIMIT = 64 << 20
_GROUPS, _DEPTH, _NAME = 100_000, 40, 500
_EXPANSION, _EXPANSION_FLOOR = 100, 256 << 20


class WeightFileError(Exception):
    """A file whose weights cannot be used; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UnsafeFileError(WeightFileError):
    """A file that leads elsewhere, or claims far more than it holds."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The header of one array."""

    shape: tuple[int, ...]
    dtype: str


Headers = Mapping[str, Mapping[str, Stored]]
"""By the name of a layer, then by slot (``vars/0``, ``cell/vars/1``)."""


class WeightSource(Protocol):
    """The weights of a model, by layer."""

    @property
    def headers(self) -> Headers: ...

    def read(self, layer: str) -> dict[str, Array]:
        """The values of a layer by slot, in native types."""


@dataclass(frozen=True)
class H5Weights:
    """The weights in an HDF5 file, alone or in a ``.keras`` archive.

    ``elements`` is the number of values in the arrays of all layers.
    """

    path: Path
    headers: Headers
    groups: Mapping[str, str]
    elements: int = 0

    def read(self, layer: str) -> dict[str, Array]:
        with _opened(self.path) as (file, _):
            group = file[self.groups[layer]]
            slots = self.headers[layer]
            return {slot: _values(group[slot.removeprefix(LEGACY)]) for slot in slots}


def read_weight_file(path: Path) -> H5Weights:
    """Read the headers of a ``.keras`` or a ``.weights.h5`` file.

    Raises:
        WeightFileError: The file holds no weights of a functional or sequential Keras model, or
            something that no such file needs, such as a link to another file.
    """
    _require_kind(path)
    try:
        with _opened(path) as (file, names):
            return _headers(path, file, names)
    except WeightFileError:
        raise
    # h5py and zipfile raise a dozen types at bytes gone wrong.
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise WeightFileError(f"{path} is damaged: {text}") from error


def _require_kind(path: Path) -> None:
    try:
        if path.is_dir():
            raise WeightFileError(_of_folder(path))
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise WeightFileError(f"cannot read {path}: {error.strerror or error}") from error
    if start.startswith((b"PK\x03\x04", b"\x89HDF")):
        return
    what = next((what for magic, what in _OTHERS.items() if start.startswith(magic)), None)
    what = what or ("a safetensors file" if start[8:10] == b'{"' else "not a file of weights")
    raise WeightFileError(f"{path} is {what}", _KINDS)


_KINDS = "weights come from a run, a .keras file or an HDF5 file (.h5, .weights.h5)"
_OTHERS = {b"\x93NUMPY": "a NumPy array", b"\x80": "a pickle, which modelspec never loads"}


def _of_folder(path: Path) -> str:
    kind = "a SavedModel" if (path / "saved_model.pb").exists() else "not a run"
    return f"{path} is {kind}: it has no run.json"


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, list[str]]]:
    """The HDF5 file, and the names of the layers where an archive tells them."""
    import h5py

    with path.open("rb") as start:
        archived = start.read(2) == b"PK"
    if not archived:
        with h5py.File(path, "r") as file:
            yield file, []
        return
    with open_npz(path) as archive, _member(archive, path) as raw, h5py.File(raw, "r") as file:
        yield file, _layer_names(archive)


@contextmanager
def _member(archive: ZipFile, path: Path) -> Iterator[Any]:
    names = archive.namelist()
    if WEIGHTS not in names:
        torch = any(name.endswith("data.pkl") for name in names)
        npz = any(name.endswith(".npy") for name in names)
        what = "a PyTorch file" if torch else "an npz file" if npz else "not a Keras model"
        hint = "for a weight: weights: {layers: {LAYER.WEIGHT: {file: …, array: …}}}"
        raise WeightFileError(f"{path} is {what}: it has no {WEIGHTS}", hint if npz else _KINDS)
    info = archive.getinfo(WEIGHTS)
    if info.file_size > _EXPANSION_FLOOR and info.file_size > _EXPANSION * info.compress_size:
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
    """A part of a file as a file of its own: h5py jumps to and fro, which zipfile does slowly."""

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
    """The layers in an archive's config by their groups: files of Keras before 3.9 need them."""
    try:
        info: ZipInfo = archive.getinfo(_CONFIG)
        with archive.open(info) as member:
            config = json.loads(_bounded(member, _CONFIG_LIMIT))
        layers = config["config"]["layers"]
        named = [(layer["class_name"], layer["config"]["name"]) for layer in layers]
        return [f"{snake_case(kind)}\0{name}" for kind, name in named]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return []


def _headers(path: Path, file: Any, names: list[str]) -> H5Weights:
    if is_legacy(file):
        return _legacy(path, file)
    if "layers" not in file:
        raise WeightFileError(
            f"{path} has no layers: it is not from a functional or sequential Keras model", _KINDS
        )
    walk = _Walk(path)
    walk.visit(file, "", 0)
    by_group = walk.named or _counted(names)
    groups = {by_group[group]: f"layers/{group}" for group in walk.layers if group in by_group}
    if walk.layers and not groups:
        raise WeightFileError(
            f"{path} does not name its layers, as files of Keras before 3.9 do not",
            "save the whole model (.keras) instead of its weights, or save it with a newer Keras",
        )
    headers = {name: walk.layers[group.removeprefix("layers/")] for name, group in groups.items()}
    for name, group in walk.nested():
        if name not in headers:
            groups[name], headers[name] = group, walk.inside(group)
    return H5Weights(path, headers, groups, walk.elements)


def _legacy(path: Path, file: Any) -> H5Weights:
    _Walk(path).visit(file, "", 0)
    headers: dict[str, dict[str, Stored]] = {}
    groups: dict[str, str] = {}
    for layer, group, name, array in legacy_arrays(file):
        stored = Stored(tuple(array.shape), str(array.dtype))
        headers.setdefault(layer, {})[f"{LEGACY}{name}"] = stored
        groups[layer] = group
    return H5Weights(path, headers, groups)


def _counted(names: list[str]) -> dict[str, str]:
    """The group of each layer, as Keras counts them: ``dense``, ``dense_1``."""
    groups: dict[str, str] = {}
    counts: dict[str, int] = {}
    for entry in names:
        kind, _, name = entry.partition("\0")
        count = counts.get(kind, 0)
        counts[kind] = count + 1
        groups[f"{kind}_{count}" if count else kind] = name
    return groups


class _Walk:
    """The arrays of a file by layer, without following a link or reading a value."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = 0
        self.elements = 0
        self.layers: dict[str, dict[str, Stored]] = {}
        self.named: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def visit(self, group: Any, place: str, depth: int) -> None:
        import h5py

        if depth > _DEPTH:
            raise WeightFileError(f"{self.path} has groups nested more than {_DEPTH} deep")
        for key in group:
            self.seen += 1
            if self.seen > _GROUPS:
                raise WeightFileError(f"{self.path} has more than {_GROUPS:,} groups and arrays")
            here = f"{place}/{key}".lstrip("/")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise UnsafeFileError(f"{self.path}: {_short(here)} is a link, which is not read")
            item = group[key]
            if isinstance(item, h5py.Group):
                self._name(item, here)
                self.visit(item, here, depth + 1)
            elif isinstance(item, h5py.Dataset):
                self._enter(item, here)
            else:
                raise WeightFileError(f"{self.path}: {_short(here)} is a type, not an array")

    def nested(self) -> Iterator[tuple[str, str]]:
        """The layers inside of nested models as ``model.layer``, each with its group."""
        for group in self._names:
            steps = group.split("/")
            ends = range(2, len(steps) + 1, 2)
            names = [self._names.get("/".join(steps[:end])) for end in ends]
            if len(names) > 1 and set(steps[::2]) == {"layers"} and all(names):
                yield ".".join(map(str, names)), group

    def inside(self, group: str) -> dict[str, Stored]:
        """The arrays in a group of a nested model, by slot."""
        top, _, rest = group.removeprefix("layers/").partition("/")
        return {
            slot.removeprefix(f"{rest}/"): array
            for slot, array in self.layers[top].items()
            if slot.startswith(f"{rest}/")
        }

    def _name(self, group: Any, place: str) -> None:
        top, _, rest = place.removeprefix("layers/").partition("/")
        if not place.startswith("layers/"):
            return
        self.layers.setdefault(top, {})
        name = group.attrs.get("name") if rest.endswith("vars") else None
        if isinstance(name, str) and 0 < len(name) <= _NAME and name.isprintable():
            self._names[place.removesuffix("/vars")] = name
            if rest == "vars":
                self.named[top] = name

    def _enter(self, array: Any, place: str) -> None:
        if array.external or array.is_virtual:
            raise UnsafeFileError(f"{self.path}: {_short(place)} lies in another file")
        if not place.startswith("layers/"):
            return
        top, _, slot = place.removeprefix("layers/").partition("/")
        self._require_stored(array, place)
        self.elements += math.prod(array.shape)
        name = array.attrs.get("dtype")
        dtype = "bfloat16" if name == "bfloat16" else str(array.dtype)
        self.layers.setdefault(top, {})[slot] = Stored(tuple(array.shape), dtype)

    def _require_stored(self, array: Any, place: str) -> None:
        """Refuse an array that is far larger than what the file holds of it."""
        size = math.prod(array.shape) * array.dtype.itemsize
        stored = array.id.get_storage_size()
        if size > _EXPANSION_FLOOR and size > _EXPANSION * stored:
            raise UnsafeFileError(
                f"{self.path}: {_short(place)} has the shape {list(array.shape)}, of which the "
                f"file holds {stored:,} bytes"
            )


def _values(array: Any) -> Array:
    if array.attrs.get("dtype") != "bfloat16":
        return np.asarray(array)
    import ml_dtypes

    raw = np.asarray(array)
    values: Array = raw.view(ml_dtypes.bfloat16) if raw.dtype.kind == "V" else raw
    return values.astype(np.float32)


def _bounded(member: IO[bytes], limit: int) -> bytes:
    """At most ``limit`` bytes of a member, in the pieces that ``open_npz`` allows."""
    pieces: list[bytes] = []
    while limit > 0 and (piece := member.read(min(limit, 1 << 20))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def _short(text: str) -> str:
    return ascii(text)[:200]


@dataclass(frozen=True)
class CheckpointWeights:
    """The weights in a checkpoint of a run; ``slots`` are its member for each layer and slot."""

    headers: Headers
    slots: Mapping[str, Mapping[str, int]]
    path: Path

    def read(self, layer: str) -> dict[str, Array]:
        with open_npz(self.path) as npz:
            return {
                slot: _array(npz, f"variable/{index}.npy", self.headers[layer][slot])
                for slot, index in self.slots[layer].items()
            }


def _array(npz: ZipFile, name: str, header: Stored) -> Array:
    size = int(np.prod(header.shape, dtype=np.int64)) * 8 + 4096
    with npz.open(name) as member:
        raw = io.BytesIO(_bounded(member, size))
    array: Array = np.lib.format.read_array(raw, allow_pickle=False)
    if array.shape != header.shape:
        raise WeightFileError(f"{name} has the shape {array.shape}, not {header.shape}")
    return array

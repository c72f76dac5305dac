"""Files with the weights of a Keras model, read as data: no code in them is run.

A ``.weights.h5`` file, or the one inside a ``.keras`` archive, has an array for each weight, in a
group for each layer. The headers are read first, with limits on all sizes in the file; values are
read later, when their shapes are known to fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelspec.data.concatenated import Array
from modelspec.weights.legacy import LEGACY, is_legacy, legacy_arrays
from modelspec.weights.opening import opened
from modelspec.weights.stored import KINDS, ONE_WEIGHT, Headers, Stored, WeightFileError
from modelspec.weights.walk import Walk


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
        with opened(self.path) as (file, _):
            group = file[self.groups[layer]]
            slots = self.headers[layer]
            return {slot: _values(group[slot.removeprefix(LEGACY)]) for slot in slots}


def read_weight_file(path: Path) -> H5Weights:
    """Read the headers of a ``.keras`` or a ``.weights.h5`` file.

    Raises:
        WeightFileError: The file has no weights of a functional or sequential Keras model, or
            something that no such file needs, such as a link to another file.
    """
    _require_kind(path)
    try:
        with opened(path) as (file, names):
            return _headers(path, file, names)
    except WeightFileError:
        raise
    # h5py and zipfile raise a dozen types for damaged bytes.
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
    raise WeightFileError(f"{path} is {what}", ONE_WEIGHT if "NumPy" in what else KINDS)


_OTHERS = {b"\x93NUMPY": "a NumPy array", b"\x80": "a pickle, which modelspec never loads"}


def _of_folder(path: Path) -> str:
    kind = "a SavedModel" if (path / "saved_model.pb").exists() else "not a run"
    return f"{path} is {kind}: it has no run.json"


def _headers(path: Path, file: Any, names: list[str]) -> H5Weights:
    if is_legacy(file):
        return _legacy(path, file)
    if "layers" not in file:
        raise WeightFileError(
            f"{path} has no layers: it is not from a functional or sequential Keras model", KINDS
        )
    walk = Walk(path)
    walk.visit(file, "", 0)
    by_group = walk.named or _counted(names)
    groups = {by_group[group]: f"layers/{group}" for group in walk.layers if group in by_group}
    if walk.layers and not groups:
        raise WeightFileError(
            f"{path} does not name its layers, as files of Keras before 3.9 do not",
            "save the whole model (.keras) instead of its weights, or save it with a newer Keras",
        )
    headers = {
        name: walk.named_inside(group.removeprefix("layers/")) for name, group in groups.items()
    }
    for name, group in walk.nested():
        if name not in headers:
            groups[name], headers[name] = group, walk.inside(group)
    return H5Weights(path, headers, groups, walk.elements)


def _legacy(path: Path, file: Any) -> H5Weights:
    Walk(path).visit(file, "", 0)
    headers: dict[str, dict[str, Stored]] = {}
    groups: dict[str, str] = {}
    for layer, group, name, array in legacy_arrays(file):
        stored = Stored(tuple(array.shape), str(array.dtype))
        headers.setdefault(layer, {})[f"{LEGACY}{name}"] = stored
        groups[layer] = group
    return H5Weights(path, headers, groups)


def _counted(names: list[str]) -> dict[str, str]:
    """Return the group of each layer, as Keras counts them: ``dense``, ``dense_1``."""
    groups: dict[str, str] = {}
    counts: dict[str, int] = {}
    for entry in names:
        kind, _, name = entry.partition("\0")
        count = counts.get(kind, 0)
        counts[kind] = count + 1
        groups[f"{kind}_{count}" if count else kind] = name
    return groups


def _values(array: Any) -> Array:
    if array.attrs.get("dtype") != "bfloat16":
        return np.asarray(array)
    import ml_dtypes

    raw = np.asarray(array)
    values: Array = raw.view(ml_dtypes.bfloat16) if raw.dtype.kind == "V" else raw
    return values.astype(np.float32)

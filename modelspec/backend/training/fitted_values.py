"""The values of fitted layers, in a file of the run: a resumed run does not fit them again.

The file is not trusted: it is read like an npz file of data, and compared with the layers.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelspec.backend.model.saved_arguments import plain_entry
from modelspec.backend.training.checkpoint_arrays import write_npz
from modelspec.data import arrays
from modelspec.data.concatenated import Array
from modelspec.problems.errors import RunError
from modelspec.storage.atomic import replacing
from modelspec.storage.regular import open_regular

_VOCABULARY, _BOUNDARIES = "vocabulary", "bin_boundaries"


def save_fitted(path: Path, layers: Sequence[Any]) -> None:
    """Write the values of fitted layers to a file, completely or not at all."""
    values = {f"{layer.name}/{key}": value for layer in layers for key, value in _values(layer)}
    with replacing(path, follow=False) as aside, aside.open("wb") as file:
        write_npz(file, values)


def load_fitted(path: Path, layers: Sequence[Any]) -> None:
    """Assign the values in a file to the layers of a model.

    Raises:
        RunError: The file cannot be read, or does not fit the layers.
    """
    try:
        os.close(open_regular(path))
        stored = _read(path)
        for layer in layers:
            own = {key: value for (name, key), value in stored.items() if name == layer.name}
            _put(layer, own)
    # Layers raise any type for values that do not fit.
    except Exception as error:
        raise RunError(f"{path} cannot be read: {error}") from error


def _values(layer: Any) -> list[tuple[str, Array]]:
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    values = [(key, np.asarray(value)) for key, value in store.items()]
    if hasattr(layer, "get_vocabulary"):
        entries = [plain_entry(entry) for entry in layer.get_vocabulary()]
        values.append((_VOCABULARY, np.frombuffer(json.dumps(entries).encode(), np.uint8)))
    if getattr(layer, _BOUNDARIES, None) is not None:
        values.append((_BOUNDARIES, np.asarray(layer.bin_boundaries, np.float64)))
    return values


def _read(path: Path) -> dict[tuple[str, str], Array]:
    members, problems = arrays.read_headers(path)
    stored = {}
    for name, member in members.items():
        array, faults = arrays.load(member)
        problems += faults
        if array is not None:
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"{name} has values that are not finite")
            layer, _, key = name.rpartition("/")
            stored[layer, key] = array
    if problems:
        raise ValueError(problems[0].message)
    return stored


def _put(layer: Any, values: Mapping[str, Array]) -> None:
    if not values or hasattr(layer, "get_vocabulary") != (_VOCABULARY in values):
        raise ValueError(f"it has no values of {layer.name}")
    store = {key: value for key, value in values.items() if key not in (_VOCABULARY, _BOUNDARIES)}
    layer.load_own_variables(store)
    if _VOCABULARY in values:
        entries = json.loads(values[_VOCABULARY].tobytes())
        if not isinstance(entries, list) or not all(
            isinstance(entry, str | int) for entry in entries
        ):
            raise ValueError(f"the vocabulary of {layer.name} is not a list of entries")
        weights = {key: store[key][: len(entries)] for key in store if key == "idf_weights"}
        layer.set_vocabulary(entries, **weights)
    if _BOUNDARIES in values:
        layer.bin_boundaries = values[_BOUNDARIES].tolist()

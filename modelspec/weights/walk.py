"""The arrays of an HDF5 file by layer, found without following a link or reading a value."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelspec.weights.stored import (
    EXPANSION,
    EXPANSION_FLOOR,
    Stored,
    UnsafeFileError,
    WeightFileError,
)

_NESTED = re.compile(r"(?:layers/[^/]+/)+")
_GROUPS, _DEPTH, _NAME = 100_000, 40, 500


class Walk:
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
        """Yield the layers inside of nested models as ``model.layer``, each with its group."""
        for group in self._names:
            steps = group.split("/")
            ends = range(2, len(steps) + 1, 2)
            names = [self._names.get("/".join(steps[:end])) for end in ends]
            if len(names) > 1 and set(steps[::2]) == {"layers"} and all(names):
                yield ".".join(map(str, names)), group

    def named_inside(self, top: str) -> dict[str, Stored]:
        """Return the arrays of a top group, each with the name of its layer in a nested model."""
        return {
            slot: replace(array, layer=self._names.get(f"layers/{top}/{group[0][:-1]}", ""))
            if (group := _NESTED.match(slot))
            else array
            for slot, array in self.layers[top].items()
        }

    def inside(self, group: str) -> dict[str, Stored]:
        """Return the arrays in a group of a nested model, by slot."""
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
            raise UnsafeFileError(f"{self.path}: {_short(place)} is in another file")
        if not place.startswith("layers/"):
            return
        top, _, slot = place.removeprefix("layers/").partition("/")
        self._require_stored(array, place)
        self.elements += math.prod(array.shape)
        name = array.attrs.get("dtype")
        dtype = "bfloat16" if name == "bfloat16" else str(array.dtype)
        self.layers.setdefault(top, {})[slot] = Stored(tuple(array.shape), dtype)

    def _require_stored(self, array: Any, place: str) -> None:
        """Refuse an array that is far larger than its data in the file."""
        size = math.prod(array.shape) * array.dtype.itemsize
        stored = array.id.get_storage_size()
        if size > EXPANSION_FLOOR and size > EXPANSION * stored:
            raise UnsafeFileError(
                f"{self.path}: {_short(place)} has the shape {list(array.shape)}, of which the "
                f"file holds {stored:,} bytes"
            )


def _short(text: str) -> str:
    return ascii(text)[:200]

"""Stored weights, as described by their headers, and the errors of their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from modelspec.data.concatenated import Array

ONE_WEIGHT = "for a weight: weights: {layers: {LAYER.WEIGHT: {file: …, array: …}}}"
KINDS = "weights come from a run, a .keras file or an HDF5 file (.h5, .weights.h5)"
EXPANSION, EXPANSION_FLOOR = 100, 256 << 20
"""The limit of an unpacked file: this many times its size, or so many bytes."""


class WeightFileError(Exception):
    """A file whose weights are unusable; ``hint`` is the remedy."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UnsafeFileError(WeightFileError):
    """A file with links to other files, or with headers of far more data than it contains."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The header of one array; ``layer`` is the layer inside a nested model that has it."""

    shape: tuple[int, ...]
    dtype: str
    layer: str = ""


Headers = Mapping[str, Mapping[str, Stored]]
"""Headers by the name of a layer, then by slot (``vars/0``, ``cell/vars/1``)."""


class WeightSource(Protocol):
    """The weights of a model, by layer."""

    @property
    def headers(self) -> Headers: ...

    def read(self, layer: str) -> dict[str, Array]:
        """Return the values of a layer by slot, in native byte order."""

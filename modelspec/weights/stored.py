"""Stored weights, as far as their headers tell of them, and the errors of their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from modelspec.data.concatenated import Array

ONE_WEIGHT = "for a weight: weights: {layers: {LAYER.WEIGHT: {file: …, array: …}}}"
KINDS = "weights come from a run, a .keras file or an HDF5 file (.h5, .weights.h5)"
EXPANSION, EXPANSION_FLOOR = 100, 256 << 20
"""How far a file may unpack: this many times its size, or to so many bytes."""


class WeightFileError(Exception):
    """A file whose weights cannot be used; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UnsafeFileError(WeightFileError):
    """A file that leads elsewhere, or claims far more than it holds."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The header of one array; ``layer`` is that of a nested model to which it belongs."""

    shape: tuple[int, ...]
    dtype: str
    layer: str = ""


Headers = Mapping[str, Mapping[str, Stored]]
"""By the name of a layer, then by slot (``vars/0``, ``cell/vars/1``)."""


class WeightSource(Protocol):
    """The weights of a model, by layer."""

    @property
    def headers(self) -> Headers: ...

    def read(self, layer: str) -> dict[str, Array]:
        """The values of a layer by slot, in native types."""

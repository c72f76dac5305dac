"""The weights in a checkpoint of a run."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from modelspec.data.concatenated import Array
from modelspec.data.npz import open_npz
from modelspec.weights.opening import bounded
from modelspec.weights.stored import Headers, Stored, WeightFileError


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
        raw = io.BytesIO(bounded(member, size))
    array: Array = np.lib.format.read_array(raw, allow_pickle=False)
    if array.shape != header.shape:
        raise WeightFileError(f"{name} has the shape {array.shape}, not {header.shape}")
    return array

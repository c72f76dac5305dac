"""The arrays of a checkpoint, which NumPy's files hold in other dtypes than some models do."""

import io
from collections.abc import Mapping, Sequence
from typing import IO, Any
from zipfile import ZipFile

import keras
import numpy as np

from modelspec.data.concatenated import Array

_HEADER = 1 << 12


def write_npz(file: IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write as ``numpy.savez``, which in some releases leaves the archive open on a full disk."""
    with ZipFile(file, "w") as npz:
        for name, values in arrays.items():
            with npz.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)


def read_member(npz: Any, name: str, nbytes: int) -> Array:
    """Read one array, of at most ``nbytes`` and a header."""
    if npz.zip.getinfo(f"{name}.npy").file_size > nbytes + _HEADER:
        raise ValueError(f"{name} is larger than it can be")
    with npz.zip.open(f"{name}.npy") as member:
        array: Array = np.lib.format.read_array(
            io.BytesIO(member.read(nbytes + _HEADER)), allow_pickle=False
        )
    return array


def in_own_dtypes(
    weights: Mapping[str, Sequence[Array]], kept: Sequence[Array]
) -> dict[str, list[Array]]:
    """Return weights in the model's dtypes; dtypes that NumPy cannot store are read as float32."""
    return {
        name: [
            array.astype(weight.dtype) if array.dtype == storable(weight).dtype else array
            for array, weight in zip(arrays, kept, strict=True)
        ]
        for name, arrays in weights.items()
    }


def array_of(variable: Any) -> Array:
    return storable(keras.ops.convert_to_numpy(variable))


def stored_dtype(variable: Any) -> np.dtype[Any]:
    # The dtype of a TensorFlow variable is a class of TensorFlow.
    name = getattr(variable.dtype, "name", variable.dtype)
    return np.dtype(np.float32) if _is_foreign(name) else np.dtype(name)


def _is_foreign(name: str) -> bool:
    """Return True where NumPy has no such dtype, and so cannot store it."""
    return not hasattr(np, name) and name != "bool"


def storable(array: Array) -> Array:
    # NumPy cannot store bfloat16; float32 represents all of its values exactly.
    return array if array.dtype.kind in "biufc" else array.astype(np.float32)

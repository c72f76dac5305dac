"""Bytes of variables and tensors."""

import math
from collections.abc import Iterable
from typing import Any

import keras


def bytes_of(variables: Iterable[Any]) -> int:
    return sum(math.prod(variable.shape) * itemsize(variable.dtype) for variable in variables)


def itemsize(dtype: Any) -> int:
    name = str(keras.backend.standardize_dtype(dtype))
    digits = "".join(filter(str.isdigit, name.partition("_")[0]))
    return int(digits) // 8 if digits else 1

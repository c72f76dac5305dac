"""Keras objects that only TensorFlow supports, from a trial of every layer on both backends."""

from collections.abc import Mapping
from typing import Any

from modelspec.catalog.entries import item_family
from modelspec.catalog.operation_facts import is_plain

_LAYERS = {
    *("Hashing", "HashedCrossing", "IntegerLookup", "StringLookup", "TextVectorization"),
    *("Pipeline", "Equalization"),
}
_WIDE = ("64", "string")
_ARGUMENTS = {"sparse", "ragged", "synchronized"}
"""Arguments that other backends refuse where they are true."""


def needs_tensorflow(value: Any) -> bool:
    """Return True where a layer, or a layer among its arguments, works on TensorFlow only."""
    if isinstance(value, Mapping):
        return any(
            key in _LAYERS
            or _is_special_operation(key, item)
            or (key in _ARGUMENTS and item is True)
            or needs_tensorflow(item)
            for key, item in value.items()
        )
    if isinstance(value, list | tuple):
        return any(map(needs_tensorflow, value))
    return isinstance(value, str) and value in _LAYERS


def _is_special_operation(name: Any, arguments: Any) -> bool:
    """Return True for an operation with shapes or dtypes that JAX does not compute."""
    if not isinstance(name, str) or item_family(name) == "layer":
        return False
    dtype = arguments.get("dtype") if isinstance(arguments, Mapping) else None
    return not is_plain(name) or (isinstance(dtype, str) and dtype.endswith(_WIDE))

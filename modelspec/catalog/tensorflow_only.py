"""Keras objects that only the TensorFlow backend supports, from a trial of every layer on both."""

from collections.abc import Mapping
from typing import Any

_LAYERS = {
    *("Hashing", "HashedCrossing", "IntegerLookup", "StringLookup", "TextVectorization"),
    *("Pipeline", "Equalization"),
}
_ARGUMENTS = {"sparse", "ragged", "synchronized"}
"""Arguments whose true value other backends refuse."""


def needs_tensorflow(value: Any) -> bool:
    """Whether a layer, or one among its arguments, works on TensorFlow alone."""
    if isinstance(value, Mapping):
        return any(
            key in _LAYERS or (key in _ARGUMENTS and item is True) or needs_tensorflow(item)
            for key, item in value.items()
        )
    if isinstance(value, list | tuple):
        return any(map(needs_tensorflow, value))
    return isinstance(value, str) and value in _LAYERS

"""Calls of operations with constants that Keras does not check when it computes a shape."""

from collections.abc import Mapping
from typing import Any, Final

import keras

from modelspec.backend.keras_private import MissingPartError
from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.operations import trace_again
from modelspec.catalog import Entry
from modelspec.catalog.operation_facts import plain_name

_LOOSE: Final = frozenset(
    {
        *("argmax", "argmin", "celu", "clip", "full_like", "hard_shrink", "isclose", "leaky_relu"),
        *("layer_normalization", "max", "min", "normalize", "one_hot", "pad", "rms_normalization"),
        *("round", "soft_shrink", "split", "squareplus", "take", "tensordot", "threshold"),
        *("tril", "triu"),
    }
)
"""Operations that accept any constant on symbols, and fail in the first step."""

_REDUCE: Final = frozenset({"argmax", "argmin", "max", "min"})
_SUMS: Final = frozenset({"nancumsum", "nancumprod"})


def try_constants(
    entry: Entry,
    constants: Mapping[str, Any],
    tensors: Mapping[str, Any],
    result: Any,
    tried: set[tuple[object, ...]],
) -> None:
    """Trace a call that returned ``result`` where its constants may not fit.

    ``tried`` are the keys of the calls that were traced.

    Raises:
        ValueError: The backend refuses the constants, or they are outside of an axis.
    """
    name = plain_name(entry.name)
    axis = constants.get("axis")
    if (
        name in _SUMS
        and isinstance(axis, int)
        and not -len(result.shape) <= axis < len(result.shape)
    ):
        raise ValueError(f"axis {axis} is not among the {len(result.shape)} axes")
    if name == "take":
        _require_inside(constants, tensors)
    if name not in _LOOSE or all(_is_usual(name, *pair) for pair in constants.items()):
        return
    shapes = (
        (tuple(tensor.shape), str(tensor.dtype)) for tensor in keras.tree.flatten(dict(tensors))
    )
    # Repeated layers share their constant lists.
    values = ((key, id(v) if isinstance(v, list) else repr(v)) for key, v in constants.items())
    key = (name, *shapes, *values)
    if key in tried:
        return
    tried.add(key)
    try:
        trace_again(result)
    except (MissingPartError, ValueError):
        raise
    except Exception as error:
        raise ValueError(error_text(error)) from error


def _is_usual(operation: str, name: object, value: Any) -> bool:
    if name == "axis":
        return type(value) is int and operation in _REDUCE
    return name == "keepdims" or (name == "dtype" and isinstance(value, str))


def _require_inside(constants: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Refuse constant indices beyond a known axis, which some devices read as zeros.

    Raises:
        ValueError: An index is beyond the axis.
    """
    axis, indices, x = constants.get("axis"), constants.get("indices"), tensors.get("x")
    if x is None or type(axis) is not int or not -len(x.shape) <= axis < len(x.shape):
        return
    length = x.shape[axis]
    wrong = [index for index in _integers(indices) if length and not -length <= index < length]
    if wrong:
        raise ValueError(f"index {wrong[0]} is beyond axis {axis}, which has length {length}")


def _integers(value: Any) -> list[int]:
    if isinstance(value, list):
        return [number for item in value for number in _integers(item)]
    return [value] if type(value) is int else []

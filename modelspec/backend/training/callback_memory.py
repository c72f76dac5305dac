"""The state of a callback: numbers, and the weights that it can restore.

Its settings, paths among them, come from the spec each time and are never part of its state. The
state in a file is compared with the callback and the model before any of it is used.
"""

import dis
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from modelspec.backend.keras_private import choose_direction, has_direction
from modelspec.data.concatenated import Array

Numbers = Mapping[str, bool | int | float | None]


@dataclass(frozen=True, slots=True)
class Memory:
    """The attributes of a callback that change in training.

    ``armed`` says whether it has chosen if larger or smaller values of its monitor are better,
    which it does at the end of the first epoch; ``weights`` has a list of the model's weights by
    attribute.
    """

    numbers: Numbers
    armed: bool
    weights: Mapping[str, Sequence[Array]]


def remember(callback: Any) -> Memory:
    """Return the current state of a callback."""
    changing = {name: vars(callback)[name] for name in sorted(_changing(callback))}
    return Memory(
        {name: _plain(value) for name, value in changing.items() if _is_number(value)},
        has_direction(callback),
        {name: value for name, value in changing.items() if _are_arrays(value)},
    )


def is_kept(value: Any) -> bool:
    """Return True where a checkpoint saves an attribute with this value."""
    return _is_number(value) or _are_arrays(value)


def require_fit(callback: Any, memory: Memory, model: Any) -> None:
    """Compare a state with the callback that is to receive it.

    Raises:
        ValueError: The state is of another callback, or of none.
    """
    kind = type(callback).__name__
    known = _changing(callback) | _made_later(callback)
    for name in (*memory.numbers, *memory.weights):
        if name not in known:
            raise ValueError(f"{kind} remembers no {name!r}")
    for name, value in memory.numbers.items():
        if not _fits(vars(callback).get(name, value), value):
            raise ValueError(f"{name!r} of {kind} cannot be {value!r}")
    if memory.armed and not hasattr(callback, "monitor"):
        raise ValueError(f"{kind} has no monitor")
    wanted = [(weight.shape, weight.dtype) for weight in model.get_weights()]
    for name, arrays in memory.weights.items():
        if [(array.shape, array.dtype) for array in arrays] != wanted:
            raise ValueError(f"{name!r} of {kind} are not weights of this model")


def recall(callback: Any, memory: Memory) -> None:
    """Restore a callback's state, which must fit."""
    if memory.armed and not has_direction(callback):
        # Keras arms these at the first epoch's end, and turns the sign of min_delta then.
        choose_direction(callback)
    vars(callback).update(memory.numbers)
    vars(callback).update({name: list(arrays) for name, arrays in memory.weights.items()})


def _changing(callback: Any) -> set[str]:
    """Return the attributes that are not settings."""
    return set(vars(callback)) - _settings(callback)


def _settings(callback: Any) -> set[str]:
    settings = {"min_delta"}
    for kind in type(callback).__mro__[:-1]:
        settings |= inspect.signature(kind).parameters.keys()
    return settings


def _made_later(callback: Any) -> set[str]:
    """Return attributes that a callback's methods assign, perhaps only during training.

    Keras's callbacks create some attributes in an epoch, and so may those of a plugin.
    """
    methods = (member for kind in type(callback).__mro__ for member in vars(kind).values())
    return {
        step.argval
        for method in methods
        if isinstance(method, FunctionType)
        for step in dis.get_instructions(method)
        if step.opname == "STORE_ATTR"
    } - _settings(callback)


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | np.floating | np.integer)


def _plain(value: Any) -> bool | int | float | None:
    if isinstance(value, np.integer):
        return int(value)
    return float(value) if isinstance(value, np.floating) else value


def _are_arrays(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, np.ndarray) for v in value)


def _fits(now: Any, value: Any) -> bool:
    """Return True where a saved number can replace ``now``, the value before the first epoch."""
    if isinstance(now, bool) or isinstance(value, bool):
        return isinstance(now, bool) and isinstance(value, bool)
    if isinstance(now, int) and now >= 0 and isinstance(value, int):
        return value >= 0
    return _is_number(now) and _is_number(value)

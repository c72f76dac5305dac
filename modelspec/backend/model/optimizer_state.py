"""The bytes that an optimizer keeps for the weights that it trains."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras

from modelspec.backend.keras_private import key_variables_by_identity
from modelspec.backend.model.sizes import bytes_of
from modelspec.results.shape import Shape


def optimizer_bytes(optimizer: Any, variables: Iterable[Any]) -> int:
    """Return the bytes that an optimizer keeps for its weights; single numbers are left out.

    An unbuilt optimizer is built on replacements for the weights, and cannot be used afterwards.
    """
    if optimizer.built:
        return bytes_of(variable for variable in optimizer.variables if len(variable.shape))
    slots: list[_Weight] = []

    def add_variable(shape: Shape, *_: Any, dtype: Any = None, **__: Any) -> None:
        slots.append(_Weight(tuple(shape), dtype or keras.config.floatx()))

    def add_like(reference_variable: _Weight, *_: Any, **__: Any) -> None:
        slots.append(reference_variable)

    for part in (optimizer, getattr(optimizer, "inner_optimizer", optimizer)):
        part.add_variable, part.add_variable_from_reference = add_variable, add_like
        key_variables_by_identity(part)
    optimizer.build(
        [_Weight(tuple(variable.shape), variable.dtype, variable.path) for variable in variables]
    )
    return bytes_of(variable for variable in slots if variable.shape)


@dataclass(frozen=True, slots=True)
class _Weight:
    """A weight, or state for one, with the attributes that optimizers read when they are built."""

    shape: Shape
    dtype: str
    path: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

"""All variables that training changes, including those that Keras does not list."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.model.own_parts import PREFIX

_OURS = ("keras", "modelspec")
_KERAS_KINDS = (
    keras.Layer,
    keras.Loss,
    keras.Metric,
    keras.optimizers.Optimizer,
    keras.random.SeedGenerator,
)
"""Classes that are searched wherever they are defined, for example in an installed plugin."""


def all_variables(listed: Iterable[Any], owners: Sequence[Any]) -> list[Any]:
    """Return the listed variables, then the unlisted ones in the objects of ``owners``.

    Keras's optimizers and metrics list their variables themselves, and some omit one: the inner
    Nadam of a LossScaleOptimizer does. The order depends on the objects' attributes.
    """
    variables = {_identity(variable): variable for variable in listed}
    for variable in reachable_values(owners):
        if not isinstance(variable, keras.Variable | tf.Variable):
            continue
        variables.setdefault(_identity(variable), variable)
    return list(variables.values())


def _identity(variable: Any) -> int:
    """Return the same identity for a Keras variable and the TensorFlow variable inside it."""
    return id(getattr(variable, "value", variable)) if _is_keras(variable) else id(variable)


def _is_keras(value: Any) -> bool:
    return isinstance(value, keras.Variable)


def reachable_values(owners: Sequence[Any]) -> Iterator[Any]:
    """Yield the attributes of Keras's objects and of own parts, and those of their values."""
    seen: set[int] = set()
    waiting = list(reversed(owners))
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if not isinstance(value, keras.Variable | tf.Variable):
            waiting.extend(reversed(list(_parts(value))))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, tf.random.Generator):
        return [value.state]
    if _is_walked(value) and hasattr(value, "__dict__"):
        return [part for part in vars(value).values() if not isinstance(part, type)]
    return ()


def _is_walked(value: Any) -> bool:
    root = type(value).__module__.partition(".")[0]
    return root in _OURS or root.startswith(PREFIX) or isinstance(value, _KERAS_KINDS)

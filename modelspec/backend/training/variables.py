"""Every variable that training changes, whatever Keras lists."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

_OURS = ("keras", "modelspec")


def all_variables(listed: Iterable[Any], owners: Sequence[Any]) -> list[Any]:
    """The listed variables, then those that the objects of ``owners`` hold without listing them.

    Keras's optimizers and metrics name their variables themselves, and some forget one: the inner
    Nadam of a LossScaleOptimizer does. The order follows from the objects' attributes.
    """
    variables = {_identity(variable): variable for variable in listed}
    for variable in _reachable(owners):
        variables.setdefault(_identity(variable), variable)
    return list(variables.values())


def _identity(variable: Any) -> int:
    """A Keras variable and the TensorFlow variable inside it are one."""
    return id(getattr(variable, "value", variable)) if _is_keras(variable) else id(variable)


def _is_keras(value: Any) -> bool:
    return isinstance(value, keras.Variable)


def _reachable(owners: Sequence[Any]) -> Iterator[Any]:
    """Variables in the attributes of Keras's objects, and in those of what these hold."""
    seen: set[int] = set()
    waiting = list(reversed(owners))
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, keras.Variable | tf.Variable):
            yield value
        else:
            waiting.extend(reversed(list(_parts(value))))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple):
        return list(value)
    if type(value).__module__.partition(".")[0] in _OURS and hasattr(value, "__dict__"):
        return [part for part in vars(value).values() if not isinstance(part, type)]
    return ()

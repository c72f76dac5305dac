"""Checks that only a schedule or only a callback sets the learning rate."""

from collections.abc import Iterator, Mapping

from modelspec.catalog.losses import is_object
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic

_SETTERS = ("ReduceLROnPlateau",)


def check_schedules(spec: Spec) -> Iterator[Diagnostic]:
    """A callback that sets the rate of a schedule: Keras raises when it first does."""
    if not _scheduled(spec.optimizer):
        return
    for position, callback in enumerate(spec.training.callbacks):
        name = next(iter(callback)) if is_object(callback) else callback
        if name in _SETTERS:
            message = f"{name} cannot set a learning rate that follows a schedule"
            hint = "give the optimizer a number as learning_rate, or drop the callback"
            route = ("training", "callbacks", position)
            yield Diagnostic("rate-set-twice", message, route, "key", hint=hint)


def _scheduled(optimizer: object) -> bool:
    """Whether the learning rate is an object, of the optimizer or of one inside it."""
    if not isinstance(optimizer, Mapping):
        return False
    arguments = next(iter(optimizer.values()), None)
    if not isinstance(arguments, Mapping):
        return False
    rate = arguments.get("learning_rate")
    return isinstance(rate, str | Mapping) or _scheduled(arguments.get("inner_optimizer"))

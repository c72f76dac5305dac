"""Checks that only a schedule or only a callback sets the learning rate."""

from collections.abc import Iterator, Mapping

from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic

_SETTERS = ("ReduceLROnPlateau",)


def check_schedules(spec: Spec) -> Iterator[Diagnostic]:
    """Report a callback that sets the rate of a schedule: Keras raises when it does so."""
    if not _scheduled(spec.optimizer):
        return
    for position, callback in enumerate(spec.training.callbacks):
        written = Written.read(callback)
        if written is not None and written.name in _SETTERS:
            message = f"{written.name} cannot change a learning rate that follows a schedule"
            hint = "set the optimizer's learning_rate to a number, or remove the callback"
            route = ("training", "callbacks", position)
            yield Diagnostic("rate-set-twice", message, route, "key", hint=hint)


def _scheduled(optimizer: object) -> bool:
    """Return True where the learning rate is an object, also of an inner optimizer."""
    written = Written.read(optimizer)
    if written is None or written.is_bare:
        return False
    rate = written.arguments.get("learning_rate")
    return isinstance(rate, str | Mapping) or _scheduled(written.arguments.get("inner_optimizer"))

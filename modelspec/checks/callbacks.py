"""Checks of callbacks' arguments that Keras reads only while it trains."""

from collections.abc import Iterator

from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic


def check_callbacks(spec: Spec) -> Iterator[Diagnostic]:
    """Report separators of several characters, and callbacks that begin after the last epoch."""
    epochs = spec.training.epochs
    for position, callback in enumerate(spec.training.callbacks):
        written = Written.read(callback, ("training", "callbacks", position))
        if written is None:
            continue
        separator = written.arguments.get("separator")
        if written.name == "CSVLogger" and isinstance(separator, str) and len(separator) != 1:
            message = f"the separator is one character, not {separator!r}"
            yield Diagnostic("wrong-value", message, (*written.route, "separator"))
        first = written.arguments.get("start_from_epoch")
        if isinstance(first, int) and isinstance(epochs, int) and first >= epochs:
            message = (
                f"{written.name} starts after {first:,} epochs, and the training has {epochs:,}: "
                "it has no effect"
            )
            route = (*written.route, "start_from_epoch")
            yield Diagnostic("wrong-value", message, route, severity="warning")

"""Checks of callbacks' arguments that Keras reads only while it trains."""

from collections.abc import Iterator

from modelspec.catalog import Catalog
from modelspec.checks.paths import fields
from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic

_COUNTS = ("epoch", "batch")
"""The integers in the file name of a ModelCheckpoint; all other values are floats."""


def check_callbacks(spec: Spec, catalog: Catalog) -> Iterator[Diagnostic]:
    """Report wrong separators and file names, late beginnings, and averages that do not exist."""
    epochs = spec.training.epochs
    for position, callback in enumerate(spec.training.callbacks):
        written = Written.read(callback, ("training", "callbacks", position))
        if written is None:
            continue
        separator = written.arguments.get("separator")
        if written.name == "CSVLogger" and isinstance(separator, str) and len(separator) != 1:
            message = f"the separator is one character, not {separator!r}"
            yield Diagnostic("wrong-value", message, (*written.route, "separator"))
        if written.name == "SwapEMAWeights" and not _averages(spec.optimizer, catalog):
            message = "SwapEMAWeights needs use_ema: true in the optimizer"
            yield Diagnostic("missing-argument", message, written.route, "key")
        if written.name == "ModelCheckpoint":
            yield from _check_file_name(written)
            yield from _check_best(written)
        if written.name == "TensorBoard" and written.arguments.get("update_freq") == 0:
            message = "update_freq is batch, epoch, or a number of batches, not 0"
            yield Diagnostic("wrong-value", message, (*written.route, "update_freq"))
        first = written.arguments.get("start_from_epoch")
        if isinstance(first, int) and isinstance(epochs, int) and first >= epochs:
            message = (
                f"{written.name} starts after {first:,} epochs, but the training has {epochs:,}: "
                "it has no effect"
            )
            route = (*written.route, "start_from_epoch")
            yield Diagnostic("wrong-value", message, route, severity="warning")


def _check_best(written: Written) -> Iterator[Diagnostic]:
    """Report a value of validation that decides between epochs, where there is none."""
    arguments = written.arguments
    monitor = str(arguments.get("monitor", "val_loss"))
    by_steps = isinstance(arguments.get("save_freq"), int)
    if by_steps and arguments.get("save_best_only") is True and monitor.startswith("val_"):
        message = f"{monitor} is only known after an epoch, so no model is saved between epochs"
        hint = "monitor: loss, or leave out save_freq"
        route = (*written.route, "save_freq")
        yield Diagnostic("wrong-value", message, route, severity="warning", hint=hint)


def _check_file_name(written: Written) -> Iterator[Diagnostic]:
    """Report fields in a file name that Keras cannot fill in when it saves."""
    route = (*written.route, "filepath")
    by_steps = isinstance(written.arguments.get("save_freq"), int)
    for name, form in fields(written.arguments.get("filepath")):
        try:
            format(1 if name in _COUNTS else 0.5, form)
        except ValueError:
            kind = "an integer" if name in _COUNTS else "a float"
            message = f"{{{name}:{form}}} is not a format for {name}, which is {kind}"
            hint = f"write {{{name}:02d}}" if name in _COUNTS else f"write {{{name}:.3f}}"
            yield Diagnostic("wrong-value", message, route, hint=hint)
        if name == "batch" and not by_steps:
            message = "a file that is saved after an epoch has no batch in its name"
            hint = "write {epoch}; or save_freq: N saves after every N batches"
            yield Diagnostic("wrong-value", message, route, hint=hint)
        elif name.startswith("val_") and by_steps:
            message = f"{name} is only known after an epoch, and save_freq saves between epochs"
            yield Diagnostic("wrong-value", message, route, hint="save_freq: epoch, or {loss:.3f}")


def _averages(optimizer: object, catalog: Catalog) -> bool:
    """Return True where an optimizer may average its weights, or is not Keras's own."""
    written = Written.read(optimizer)
    entry = catalog.find("optimizer", written.name) if written else None
    if written is None or entry is None or entry.plugin is not None:
        return True
    inner = written.arguments.get("inner_optimizer")
    return bool(written.arguments.get("use_ema")) or (
        inner is not None and _averages(inner, catalog)
    )

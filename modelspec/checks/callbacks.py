"""Checks of callbacks' arguments that Keras reads only while it trains."""

from collections.abc import Iterator

from modelspec.catalog import Catalog
from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic


def check_callbacks(spec: Spec, catalog: Catalog) -> Iterator[Diagnostic]:
    """Report separators of several characters, late beginnings, and averages that do not exist."""
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
        first = written.arguments.get("start_from_epoch")
        if isinstance(first, int) and isinstance(epochs, int) and first >= epochs:
            message = (
                f"{written.name} starts after {first:,} epochs, and the training has {epochs:,}: "
                "it has no effect"
            )
            route = (*written.route, "start_from_epoch")
            yield Diagnostic("wrong-value", message, route, severity="warning")


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

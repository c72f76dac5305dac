"""A metric together with what decides its meaning: the loss and the last layer of its output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelspec.catalog import Catalog, Entry
from modelspec.catalog.losses import LOSSES, LossFacts, read_object
from modelspec.catalog.metrics import MetricFacts, metric_facts
from modelspec.checks.output_layers import PROBABILITIES, LastLayer
from modelspec.graph.heads import Head, Placed
from modelspec.language.written import Written


@dataclass(frozen=True, slots=True)
class MetricContext:
    """A metric, with the loss and the last layer of its output.

    ``name`` is the folded name of the class that Keras chooses, ``written`` its name in a spec.
    """

    head: Head
    last: LastLayer
    loss: LossFacts | None
    metric: MetricFacts
    name: str
    written: str
    arguments: Mapping[Any, Any]

    @property
    def logits(self) -> bool:
        """True where the output is known to be logits."""
        arguments = (
            next(iter(self.head.loss.values())) if isinstance(self.head.loss, dict) else None
        )
        from_logits = isinstance(arguments, dict) and arguments.get("from_logits") is True
        return from_logits and self.last.activation not in PROBABILITIES

    @property
    def several(self) -> bool:
        return self.last.width is not None and self.last.width > 1

    @property
    def targets(self) -> str | None:
        return self.loss.targets if self.loss else None


@dataclass(frozen=True, slots=True)
class MetricProblem:
    """A wrong metric: an error if its number has no meaning, otherwise a warning."""

    message: str
    hint: str
    error: bool = False


def read_metric(
    head: Head, metric: Placed, last: LastLayer, catalog: Catalog
) -> MetricContext | None:
    """Return a metric in its context; None if it is unknown, wrong or without facts."""
    name, arguments = read_object(catalog, "metric", metric.value)
    loss, _ = read_object(catalog, "loss", head.loss)
    if loss in ("crossentropy", "ce"):
        loss = "binarycrossentropy" if last.width == 1 else ""
    written = Written.read(metric.value)
    entry = catalog.find("metric", written.name) if written else None
    if written is None or entry is None or _lacks_arguments(entry, arguments):
        return None
    chosen = _chosen(LOSSES.get(loss), last)
    facts = metric_facts(name, arguments, text=written.is_bare, chosen=chosen)
    if facts is None:
        return None
    folded = chosen if written.is_bare and name in ("accuracy", "acc") else name
    classes = {
        class_name.lower(): class_name
        for class_name in catalog.names("metric")
        if "_" not in class_name
    }
    shown = classes.get(folded, folded)
    return MetricContext(head, last, LOSSES.get(loss), facts, folded, shown, arguments)


def _lacks_arguments(entry: Entry, arguments: Mapping[Any, Any]) -> bool:
    return any(
        argument.required and name not in arguments for name, argument in entry.arguments.items()
    )


def _chosen(loss: LossFacts | None, last: LastLayer) -> str:
    """Return the class that Keras chooses for ``accuracy``; empty where that is unknown."""
    if last.width == 1:
        return "binaryaccuracy"
    by_targets = {"ids": "sparsecategoricalaccuracy", "one-hot": "categoricalaccuracy"}
    if last.width is None and (loss is None or loss.targets not in by_targets):
        return ""
    return by_targets.get(loss.targets, "categoricalaccuracy") if loss else ""

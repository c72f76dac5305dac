"""Checks of metrics against their outputs and losses, from the graph alone.

Most wrong metrics return a number. It is an error if the number has no meaning or Keras raises, and
a warning if the metric is probably a mistake.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelspec.catalog import Catalog, Entry
from modelspec.catalog.losses import LOSSES, LossFacts, read_object
from modelspec.catalog.metrics import CONFUSION, MetricFacts, metric_facts
from modelspec.checks.output_layers import NOT_PROBABILITIES, PROBABILITIES, LastLayer
from modelspec.graph.heads import Head, Placed
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Severity

_NEAR_ZERO = 1e-3
_DEFAULT_K = 5
_OF_ROWS = ("cosinesimilarity", "pearsoncorrelation", "concordancecorrelation")
_ROWS = ("one-hot", "binary", "elementwise", "signs")


@dataclass(frozen=True, slots=True)
class _Judged:
    """A metric and the loss of its output; ``written`` is the name of Keras's class."""

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
class _Problem:
    message: str
    hint: str
    error: bool = False


def check_metrics(head: Head, last: LastLayer, catalog: Catalog) -> Iterator[Diagnostic]:
    """Yield the first problem of each metric of an output."""
    for metric in head.metrics:
        judged = _judged(head, metric, last, catalog)
        rules = (
            *(_of_other_targets, _of_ids, _of_fewer_classes, _of_one_unit, _of_one_value),
            *(_of_all_classes, _of_logits, _of_quantities),
        )
        problem = next((problem for rule in rules if judged and (problem := rule(judged))), None)
        if problem:
            severity: Severity = "error" if problem.error else "warning"
            yield Diagnostic(
                "metric-mismatch", problem.message, metric.route, "value", severity, problem.hint
            )


def metrics_for_logits(head: Head, loss: LossFacts, catalog: Catalog) -> list[str]:
    """Return the metrics of an output as they must be written once it ends in logits."""
    last = LastLayer("linear", 1 if loss.outputs == "probabilities" else None)
    judged = (_judged(head, metric, last, catalog) for metric in head.metrics)
    return [
        written for metric in judged if metric and (written := _written_for_logits(metric, loss))
    ]


def _judged(head: Head, metric: Placed, last: LastLayer, catalog: Catalog) -> _Judged | None:
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
    return _Judged(head, last, LOSSES.get(loss), facts, folded, shown, arguments)


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


def _of_other_targets(judged: _Judged) -> _Problem | None:
    """Find ids where rows are needed, or rows where ids are: Keras refuses, or counts nonsense."""
    output, metric = judged.head.output, judged.metric
    if metric.exact and metric.targets == "elementwise":
        return None
    if judged.targets == "ids" and metric.targets in _ROWS and judged.several:
        message = f"the targets of {output} are class ids, and this metric needs a row of them"
        hint = "use accuracy, which fits both, or one-hot targets"
        if judged.name in CONFUSION:
            hint = f"for ids write {_iou(judged, targets='true')}"
        return _Problem(message, hint, error=True)
    if judged.targets == "one-hot" and metric.targets == "ids":
        message = f"the targets of {output} are one-hot rows, and this metric needs class ids"
        hint = "use accuracy, or this metric without sparse"
        if judged.name in CONFUSION:
            hint = f"for rows write {_iou(judged, targets='false')}, or OneHot{judged.written}"
        return _Problem(message, hint, error=True)
    return None


def _of_ids(judged: _Judged) -> _Problem | None:
    """Find predictions that are read as class ids, but are not ids."""
    if judged.metric.reads != "ids":
        return None
    output, last = judged.head.output, judged.last
    classes = judged.loss is not None and judged.loss.targets in ("ids", "one-hot", "binary")
    if not classes and last.activation not in PROBABILITIES:
        return None
    if judged.name == "accuracy":
        message = (
            f"Accuracy compares the values of {output} with the targets, which are never equal"
        )
        return _Problem(message, "write accuracy, which Keras resolves by the shapes", error=True)
    message = f"this metric reads the values of {output} as class ids, and they are not ids"
    if last.width == 1 or (judged.targets == "binary" and not judged.several):
        hint = "BinaryIoU is the metric for one unit: BinaryIoU: {threshold: 0.5}"
    else:
        rows = judged.targets in ("one-hot", "binary")
        hint = f"write {_iou(judged, targets='false' if rows else 'true')}"
        hint += f", or OneHot{judged.written}" if rows and judged.written[:3] != "One" else ""
    return _Problem(message, hint, error=True)


def _of_fewer_classes(judged: _Judged) -> _Problem | None:
    """Find counts of classes over more classes than they have room for: pairs are lost."""
    classes, width = judged.arguments.get("num_classes"), judged.last.width
    if judged.name not in CONFUSION or width is None or not isinstance(classes, int):
        return None
    if classes >= width or width == 1:
        return None
    message = f"{judged.head.output} has {width} classes, and this metric counts only {classes}"
    return _Problem(message, f"write num_classes: {width}", error=True)


def _iou(judged: _Judged, targets: str) -> str:
    """Write the metric with the two arguments that say which side is ids and which rows."""
    keys = ("num_classes", "target_class_ids", "ignore_class")
    kept = {key: judged.arguments[key] for key in keys if key in judged.arguments}
    inside = ", ".join(f"{key}: {value}" for key, value in kept.items())
    name = judged.written.removeprefix("OneHot")
    return f"{name}: {{{inside}, sparse_y_true: {targets}, sparse_y_pred: false}}"


def _of_one_unit(judged: _Judged) -> _Problem | None:
    reads, output = judged.metric.reads, judged.head.output
    of_classes = judged.metric.targets in ("ids", "one-hot") and reads in ("largest", "shares")
    if judged.last.width != 1 or not of_classes:
        return None
    message = f"{output} has one unit: for this metric its only class is always correct"
    if judged.name in ("f1score", "fbetascore"):
        hint = f"give it a threshold: {judged.written}: {{threshold: 0.5}}"
    elif judged.name in CONFUSION:
        hint = "BinaryIoU is the metric for one unit: BinaryIoU: {threshold: 0.5}"
    else:
        hint = "binary_accuracy is the metric for one unit"
    return _Problem(message, hint)


def _of_one_value(judged: _Judged) -> _Problem | None:
    """Find directions and correlations of rows with one value: they are a sign, 0 or NaN."""
    axis = judged.arguments.get("axis", -1)
    if judged.name not in _OF_ROWS or judged.last.width != 1 or axis != -1:
        return None
    message = f"{judged.head.output} has one unit, and this metric compares the values of a row"
    hint = f"{judged.written}: {{axis: 0}} compares the rows of a batch"
    if judged.name == "cosinesimilarity":
        hint = "R2Score or mae compares single values"
    return _Problem(message, hint)


def _of_all_classes(judged: _Judged) -> _Problem | None:
    """Find a top-k accuracy in which all classes are among the k best."""
    k, width = judged.arguments.get("k", _DEFAULT_K), judged.last.width
    top = judged.name in ("topkcategoricalaccuracy", "sparsetopkcategoricalaccuracy")
    if not top or width is None or not isinstance(k, int) or k < width:
        return None
    message = f"{judged.head.output} has {width} classes, so one of the best {k} is always right"
    hint = f"give it a smaller k, as in {judged.written}: {{k: {max(width // 2, 1)}}}"
    return _Problem(message, hint)


def _of_logits(judged: _Judged) -> _Problem | None:
    """Find logits, or the scores of a hinge, where probabilities are needed."""
    scores = (
        judged.loss is not None
        and judged.targets == "signs"
        and judged.last.activation in NOT_PROBABILITIES
    )
    if not (judged.logits or scores) or not _misreads_logits(judged, scores=scores):
        return None
    what = "scores" if scores else "logits"
    message = f"{judged.head.output} ends in {what}, and this metric needs probabilities"
    activation = "softmax" if judged.loss and judged.loss.outputs == "shares" else "sigmoid"
    written = _written_for_logits(judged, judged.loss)
    if scores:
        bounded = judged.metric.reads == "threshold"
        hint = f"write {written}" if written and bounded else "the metric hinge takes scores"
        return _Problem(message, f"{hint}; binary_crossentropy of a sigmoid gives probabilities")
    instead = f"end {judged.head.output} in activation: {activation}, without from_logits"
    return _Problem(message, f"write {written}, or {instead}" if written else instead)


def _misreads_logits(judged: _Judged, *, scores: bool = False) -> bool:
    """Return True where a metric, with its arguments, misreads logits."""
    reads, arguments = judged.metric.reads, judged.arguments
    if arguments.get("from_logits") is True:
        return False
    if reads == "threshold":
        bounds = [arguments.get(key) for key in ("threshold", "thresholds") if key in arguments]
        flat = bounds[0] if bounds and isinstance(bounds[0], list) else bounds
        # Keras's default is 0.5; a bound near 0 was written for logits.
        return not flat or any(
            isinstance(bound, int | float) and _NEAR_ZERO < bound < 1 for bound in flat
        )
    return reads in ("curve", "shares") or (reads == "quantities" and not scores)


def _written_for_logits(judged: _Judged, loss: LossFacts | None) -> str | None:
    """Return the metric with the argument that makes it read logits; None if there is none."""
    way = judged.metric.for_logits
    if not way or not _misreads_logits(judged):
        return None
    # Of several classes each has its share: no bound on one logit, and no sigmoid, tells it.
    if loss is not None and loss.outputs == "shares" and judged.metric.reads != "shares":
        return None
    key = way.partition(":")[0]
    kept = {name: value for name, value in judged.arguments.items() if name != key}
    inside = "".join(f"{name}: {value}, " for name, value in kept.items())
    return f"{judged.written}: {{{inside}{way}}}"


def _of_quantities(judged: _Judged) -> _Problem | None:
    if not judged.loss or judged.loss.outputs != "quantities":
        return None
    metric, output = judged.metric, judged.head.output
    if judged.last.activation not in NOT_PROBABILITIES:
        return None
    if metric.exact or (metric.targets in ("ids", "one-hot") and metric.reads == "shares"):
        message = (
            f"{output} is a regression output, whose values are never exactly equal to the targets"
        )
        return _Problem(message, "mae measures the distance")
    if metric.reads in ("threshold", "curve", "shares") or metric.targets in ("ids", "one-hot"):
        message = f"{output} is a regression output, but this metric needs probabilities"
        return _Problem(message, "mae measures the distance")
    return None

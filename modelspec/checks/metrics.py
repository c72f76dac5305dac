"""Checks of metrics against their outputs and losses, from the graph alone.

Most wrong metrics return a number. It is an error if the number has no meaning or Keras raises, and
a warning if the metric is probably a mistake.
"""

from collections.abc import Callable, Iterator

from modelspec.catalog import Catalog
from modelspec.catalog.metrics import CONFUSION
from modelspec.checks.metric_context import MetricContext, MetricProblem, read_metric
from modelspec.checks.metric_logits import check_logits
from modelspec.checks.output_layers import NOT_PROBABILITIES, PROBABILITIES, LastLayer
from modelspec.graph.heads import Head
from modelspec.problems.diagnostic import Diagnostic, Severity

_DEFAULT_K = 5
_OF_ROWS = ("cosinesimilarity", "pearsoncorrelation", "concordancecorrelation")
_ROWS = ("one-hot", "binary", "elementwise", "signs")


def check_metrics(head: Head, last: LastLayer, catalog: Catalog) -> Iterator[Diagnostic]:
    """Yield the first problem of each metric of an output."""
    for metric in head.metrics:
        context = read_metric(head, metric, last, catalog)
        problem = _first_problem(context) if context else None
        if problem:
            severity: Severity = "error" if problem.error else "warning"
            yield Diagnostic(
                "metric-mismatch", problem.message, metric.route, "value", severity, problem.hint
            )


def _of_other_targets(context: MetricContext) -> MetricProblem | None:
    """Find ids where rows are needed, or rows where ids are: Keras refuses, or counts nonsense."""
    output, metric = context.head.output, context.metric
    if metric.exact and metric.targets == "elementwise":
        return None
    if context.targets == "ids" and metric.targets in _ROWS and context.several:
        message = f"the targets of {output} are class ids, but this metric needs a row of them"
        hint = "use accuracy, which fits both, or one-hot targets"
        if context.name in CONFUSION:
            hint = f"for ids write {_iou(context, targets='true')}"
        return MetricProblem(message, hint, error=True)
    if context.targets == "one-hot" and metric.targets == "ids":
        message = f"the targets of {output} are one-hot rows, but this metric needs class ids"
        hint = "use accuracy, or this metric without sparse"
        if context.name in CONFUSION:
            hint = f"for rows write {_iou(context, targets='false')}, or OneHot{context.written}"
        return MetricProblem(message, hint, error=True)
    return None


def _of_ids(context: MetricContext) -> MetricProblem | None:
    """Find predictions that are read as class ids, but are not ids."""
    if context.metric.reads != "ids":
        return None
    output, last = context.head.output, context.last
    classes = context.loss is not None and context.loss.targets in ("ids", "one-hot", "binary")
    if not classes and last.activation not in PROBABILITIES:
        return None
    if context.name == "accuracy":
        message = (
            f"Accuracy compares the values of {output} with the targets, which are never equal"
        )
        return MetricProblem(
            message, "write accuracy, which Keras resolves by the shapes", error=True
        )
    message = f"this metric reads the values of {output} as class ids, but they are not ids"
    if last.width == 1 or (context.targets == "binary" and not context.several):
        hint = "BinaryIoU is the metric for one unit: BinaryIoU: {threshold: 0.5}"
    else:
        rows = context.targets in ("one-hot", "binary")
        hint = f"write {_iou(context, targets='false' if rows else 'true')}"
        hint += f", or OneHot{context.written}" if rows and context.written[:3] != "One" else ""
    return MetricProblem(message, hint, error=True)


def _of_fewer_classes(context: MetricContext) -> MetricProblem | None:
    """Find counts of classes over more classes than they have room for: pairs are lost."""
    classes, width = context.arguments.get("num_classes"), context.last.width
    if context.name not in CONFUSION or width is None or not isinstance(classes, int):
        return None
    if classes >= width or width == 1:
        return None
    message = f"{context.head.output} has {width} classes, but this metric counts only {classes}"
    return MetricProblem(message, f"write num_classes: {width}", error=True)


def _iou(context: MetricContext, targets: str) -> str:
    """Write the metric with the two arguments that say which side is ids and which rows."""
    keys = ("num_classes", "target_class_ids", "ignore_class")
    kept = {key: context.arguments[key] for key in keys if key in context.arguments}
    inside = ", ".join(f"{key}: {value}" for key, value in kept.items())
    name = context.written.removeprefix("OneHot")
    return f"{name}: {{{inside}, sparse_y_true: {targets}, sparse_y_pred: false}}"


def _of_one_unit(context: MetricContext) -> MetricProblem | None:
    reads, output = context.metric.reads, context.head.output
    of_classes = context.metric.targets in ("ids", "one-hot") and reads in ("largest", "shares")
    if context.last.width != 1 or not of_classes:
        return None
    message = f"{output} has one unit: for this metric its only class is always correct"
    if context.name in ("f1score", "fbetascore"):
        hint = f"give it a threshold: {context.written}: {{threshold: 0.5}}"
    elif context.name in CONFUSION:
        hint = "BinaryIoU is the metric for one unit: BinaryIoU: {threshold: 0.5}"
    else:
        hint = "binary_accuracy is the metric for one unit"
    return MetricProblem(message, hint)


def _of_one_value(context: MetricContext) -> MetricProblem | None:
    """Find directions and correlations of rows with one value: they are a sign, 0 or NaN."""
    axis = context.arguments.get("axis", -1)
    if context.name not in _OF_ROWS or context.last.width != 1 or axis != -1:
        return None
    message = f"{context.head.output} has one unit, but this metric compares the values of a row"
    hint = f"{context.written}: {{axis: 0}} compares the rows of a batch"
    if context.name == "cosinesimilarity":
        hint = "R2Score or mae compares single values"
    return MetricProblem(message, hint)


def _of_all_classes(context: MetricContext) -> MetricProblem | None:
    """Find a top-k accuracy in which all classes are among the k best."""
    k, width = context.arguments.get("k", _DEFAULT_K), context.last.width
    top = context.name in ("topkcategoricalaccuracy", "sparsetopkcategoricalaccuracy")
    if not top or width is None or not isinstance(k, int) or k < width:
        return None
    message = f"{context.head.output} has {width} classes, so one of the best {k} is always right"
    hint = f"give it a smaller k, as in {context.written}: {{k: {max(width // 2, 1)}}}"
    return MetricProblem(message, hint)


def _of_quantities(context: MetricContext) -> MetricProblem | None:
    if not context.loss or context.loss.outputs != "quantities":
        return None
    metric, output = context.metric, context.head.output
    if context.last.activation not in NOT_PROBABILITIES:
        return None
    if metric.exact or (metric.targets in ("ids", "one-hot") and metric.reads == "shares"):
        message = (
            f"{output} is a regression output, whose values are never exactly equal to the targets"
        )
        return MetricProblem(message, "mae measures the distance")
    if metric.reads in ("threshold", "curve", "shares") or metric.targets in ("ids", "one-hot"):
        message = f"{output} is a regression output, but this metric needs probabilities"
        return MetricProblem(message, "mae measures the distance")
    return None


_RULES: tuple[Callable[[MetricContext], MetricProblem | None], ...] = (
    _of_other_targets,
    _of_ids,
    _of_fewer_classes,
    _of_one_unit,
    _of_one_value,
    _of_all_classes,
    check_logits,
    _of_quantities,
)


def _first_problem(context: MetricContext) -> MetricProblem | None:
    return next((problem for rule in _RULES if (problem := rule(context))), None)

"""Metrics of outputs that end in logits, or in the scores of a hinge."""

from modelspec.catalog import Catalog
from modelspec.catalog.losses import LossFacts
from modelspec.checks.metric_context import MetricContext, MetricProblem, read_metric
from modelspec.checks.output_layers import NOT_PROBABILITIES, LastLayer
from modelspec.graph.heads import Head

_NEAR_ZERO = 1e-3


def metrics_for_logits(head: Head, loss: LossFacts, catalog: Catalog) -> list[str]:
    """Return the metrics of an output as they must be written once it ends in logits."""
    last = LastLayer("linear", 1 if loss.outputs == "probabilities" else None)
    contexts = (read_metric(head, metric, last, catalog) for metric in head.metrics)
    return [
        written
        for context in contexts
        if context and (written := _written_for_logits(context, loss))
    ]


def check_logits(context: MetricContext) -> MetricProblem | None:
    """Find logits, or the scores of a hinge, where probabilities are needed."""
    scores = (
        context.loss is not None
        and context.targets == "signs"
        and context.last.activation in NOT_PROBABILITIES
    )
    if not (context.logits or scores) or not _misreads_logits(context, scores=scores):
        return None
    what = "scores" if scores else "logits"
    message = f"{context.head.output} ends in {what}, but this metric needs probabilities"
    activation = "softmax" if context.loss and context.loss.outputs == "shares" else "sigmoid"
    written = _written_for_logits(context, context.loss)
    if scores:
        bounded = context.metric.reads == "threshold"
        hint = f"write {written}" if written and bounded else "the metric hinge takes scores"
        return MetricProblem(
            message, f"{hint}; binary_crossentropy of a sigmoid gives probabilities"
        )
    instead = f"end {context.head.output} in activation: {activation}, without from_logits"
    return MetricProblem(message, f"write {written}, or {instead}" if written else instead)


def _misreads_logits(context: MetricContext, *, scores: bool = False) -> bool:
    """Return True where a metric, with its arguments, misreads logits."""
    reads, arguments = context.metric.reads, context.arguments
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


def _written_for_logits(context: MetricContext, loss: LossFacts | None) -> str | None:
    """Return the metric with the argument that makes it read logits; None if there is none."""
    way = context.metric.for_logits
    if not way or not _misreads_logits(context):
        return None
    # Of several classes each has its share: no bound on one logit, and no sigmoid, tells it.
    if loss is not None and loss.outputs == "shares" and context.metric.reads != "shares":
        return None
    key = way.partition(":")[0]
    kept = {name: value for name, value in context.arguments.items() if name != key}
    inside = "".join(f"{name}: {value}, " for name, value in kept.items())
    return f"{context.written}: {{{inside}{way}}}"

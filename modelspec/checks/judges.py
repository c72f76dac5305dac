"""Checks of metrics and class weights against the values of targets and sample weights.

All are warnings, because Keras computes a number whatever the targets contain.
"""

from collections.abc import Iterator
from typing import Any

from modelspec.catalog.losses import (
    LOSSES,
    JudgedHead,
    LossFacts,
    Placed,
    Shape,
    folded,
    named_loss,
)
from modelspec.catalog.metrics import CONFUSION, MetricFacts, chosen_accuracy, metric_facts
from modelspec.checks.rows import find_row
from modelspec.checks.target_values import first_not_one_hot
from modelspec.checks.untrained import check_untrained
from modelspec.data.arrays import row_blocks
from modelspec.data.concatenated import Column
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Route

_BLOCK = 1 << 20
_CLASSES = ("ids", "one-hot", "binary", "signs")


def check_judges(
    head: JudgedHead, name: str, target: Column, weight: Column | None, output_shape: Shape | None
) -> Iterator[Diagnostic]:
    """Yield the problems of an output's metrics and class weights with its target ``name``."""
    shape = output_shape[1:] if output_shape else None
    loss, arguments = named_loss(head.loss, target.shape[1:], shape)
    facts = LOSSES.get(loss)
    metrics = [
        (metric, known)
        for metric in head.metrics
        if (known := _facts(metric, target.shape[1:], shape))
    ]
    yield from _several_labels(facts, metrics, name, target)
    yield from _signs(facts, metrics, name, target)
    yield from _percentages(head, name, target)
    yield from _ignored_class(head, name, target, arguments.get("ignore_class"), weight)
    yield from check_untrained(head, name, target, arguments.get("ignore_class"))
    if weight is not None:
        yield from _without_weights(head, weight)
    yield from _class_weights(head, facts, name, target, shape)


def _facts(metric: Placed, target: Shape, output: Shape | None) -> MetricFacts | None:
    written = Written.read(metric.value)
    if written is None:
        return None
    chosen = chosen_accuracy(target, output) if output is not None else ""
    return metric_facts(written.name, written.arguments, text=written.is_bare, chosen=chosen)


def _several_labels(
    facts: LossFacts | None,
    metrics: list[tuple[Placed, MetricFacts]],
    name: str,
    target: Column,
) -> Iterator[Diagnostic]:
    """Yield metrics that need one class for each row, where rows have several or none."""
    if facts is None or facts.targets not in ("binary", "elementwise"):
        return
    of_one = [metric for metric, known in metrics if known.targets == "one-hot"]
    row = first_not_one_hot(target) if of_one else None
    if row is None or (facts.targets == "elementwise" and not _are_labels(target)):
        return
    for metric in of_one:
        message = (
            f"array {name} has several labels per sample, or none, first in {row}, and this metric "
            "compares only the largest value of a row"
        )
        yield _mismatch(metric.route, message, _by_label(metric))


def _are_labels(target: Column) -> bool:
    return find_row(target, lambda rows: (rows != 0) & (rows != 1)) is None


def _by_label(metric: Placed) -> str:
    written = Written.read(metric.value)
    name = written.name if written else ""
    if "f" in name.lower()[:1]:
        return "give it a threshold for each label: F1Score: {threshold: 0.5}"
    if "crossentropy" in name.lower():
        return "binary_crossentropy is computed for each label separately"
    return "binary_accuracy is computed for each label separately"


def _signs(
    facts: LossFacts | None,
    metrics: list[tuple[Placed, MetricFacts]],
    name: str,
    target: Column,
) -> Iterator[Diagnostic]:
    """Yield metrics of 0 and 1 over targets of -1 and 1, which a hinge accepts as well."""
    if facts is None or facts.targets != "signs":
        return
    of_zeros = [metric for metric, known in metrics if known.targets == "binary"]
    row = find_row(target, lambda rows: rows < 0) if of_zeros else None
    for metric in of_zeros if row else ():
        message = f"array {name} holds -1, first in {row}, but this metric needs 0 and 1"
        yield _mismatch(metric.route, message, "save 0 and 1: this loss accepts 0 and 1 too")


def _percentages(head: JudgedHead, name: str, target: Column) -> Iterator[Diagnostic]:
    """Yield losses and metrics that divide by the target where it has zeros."""
    judges = [("loss-mismatch", head.loss, head.route)]
    judges += [("metric-mismatch", metric.value, metric.route) for metric in head.metrics]
    dividing = [
        (code, route)
        for code, value, route in judges
        if named_loss(value, target.shape[1:], None)[0] == "meanabsolutepercentageerror"
    ]
    zeros = _count(target, 0) if dividing and target.dtype.kind in "biuf" else 0
    count = "1 zero" if zeros == 1 else f"{zeros:,} zeros"
    for code, route in dividing if zeros else ():
        message = (
            f"array {name} holds {count}, and this {code.partition('-')[0]} divides by the "
            "target: one of them gives a value of about 1e9"
        )
        hint = "use mae or huber; or leave these rows out"
        yield Diagnostic(code, message, route, severity="warning", hint=hint)


def _ignored_class(
    head: JudgedHead, name: str, target: Column, ignored: Any, weight: Column | None
) -> Iterator[Diagnostic]:
    """Yield metrics that count the targets of the class that the loss ignores."""
    # A mask could leave out the steps of a sequence, in metrics too.
    if type(ignored) is not int or target.dtype.kind not in "iu" or _has_steps(target):
        return
    metrics = [metric for metric in head.metrics if _counts(metric, ignored, weight)]
    count = _count(target, ignored) if metrics else 0
    for metric in metrics if count else ():
        message = (
            f"{count:,} targets in array {name} are {ignored}, which the loss ignores, but this "
            "metric counts them"
        )
        hint = (
            f"save {head.output}_weight with 0 in those rows, 1 in the others, and write "
            "weighted_metrics"
        )
        if _takes_ignored(metric):
            hint = f"give the metric ignore_class: {ignored} too"
        yield _mismatch(metric.route, message, hint)


def _has_steps(target: Column) -> bool:
    return target.ndim == 2 and target.shape[1] > 1  # noqa: PLR2004 - the axes of a sequence


def _counts(metric: Placed, ignored: int, weight: Column | None) -> bool:
    written = Written.read(metric.value)
    own = written.arguments.get("ignore_class") if written else None
    return own != ignored and not (metric.weighted and weight is not None)


def _takes_ignored(metric: Placed) -> bool:
    written = Written.read(metric.value)
    name = folded(written.name) if written else ""
    return name in CONFUSION or name == "sparsecategoricalcrossentropy"


def _count(array: Column, value: int) -> int:
    return sum(int((rows == value).sum()) for rows in row_blocks(array, _BLOCK))


def _without_weights(head: JudgedHead, weight: Column) -> Iterator[Diagnostic]:
    """Yield metrics that count rows which the loss ignores because their weight is 0."""
    plain = [metric for metric in head.metrics if not metric.weighted]
    if not plain:
        return
    zeros = _count(weight, 0)
    if not zeros:
        return
    message = (
        f"{zeros:,} weights of output {head.output} are 0, but metrics ignore weights and count "
        "these values too"
    )
    for metric in plain:
        yield _mismatch(metric.route, message, "write it in weighted_metrics, which use weights")


def _mismatch(route: Route, message: str, hint: str) -> Diagnostic:
    return Diagnostic("metric-mismatch", message, route, severity="warning", hint=hint)


def _class_weights(
    head: JudgedHead, facts: LossFacts | None, name: str, target: Column, shape: Shape | None
) -> Iterator[Diagnostic]:
    """Yield class weights whose classes, or whose class ids, do not occur in a target."""
    if not head.class_weights:
        return
    route: Route = ("training", "class_weights", head.output)
    problem = _without_classes(head, facts, name, target)
    if problem:
        hint = f"save {head.output}_weight, a weight for each sample"
        yield Diagnostic("class-weights", problem, route, "key", hint=hint)
        return
    classes = _class_count(facts, target, shape)
    for number in head.class_weights:
        if classes is not None and not 0 <= number < classes:
            message = f"output {head.output} has classes 0..{classes - 1}, and no class {number}"
            yield Diagnostic("class-weights", message, (*route, number), "key")


def _without_classes(
    head: JudgedHead, facts: LossFacts | None, name: str, target: Column
) -> str | None:
    """Return why a target has no classes for class weights; None if it has."""
    if facts is None:
        return None
    if facts.targets not in _CLASSES:
        return f"the targets of {head.output} are not classes, but class weights need classes"
    row = None if facts.targets == "ids" else first_not_one_hot(target)
    if row is not None:
        return (
            f"array {name} has rows with several labels, or none, first in {row}: such a row has "
            "no single class, so class_weights gives it no weight"
        )
    row = find_row(target, lambda rows: rows < 0) if facts.targets == "signs" else None
    return f"array {name} holds -1, first in {row}, but class ids start at 0" if row else None


def _class_count(facts: LossFacts | None, target: Column, shape: Shape | None) -> int | None:
    """Return the number of classes of an output; None where it is unknown."""
    width = shape[-1] if shape else None
    if facts is None:
        return None
    if facts.targets in ("binary", "signs"):
        wide = target.ndim > 1 and target.shape[-1] > 1
        return target.shape[-1] if wide else 2
    return width

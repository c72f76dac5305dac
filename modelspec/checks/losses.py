"""Checks of losses against their outputs, from the graph alone.

A combination that cannot work is an error; one that is probably a mistake is a warning. Outputs
whose last layer has an unknown activation or width are not checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelspec.catalog import Catalog
from modelspec.catalog.losses import LOSSES, LossFacts, read_object
from modelspec.checks.metric_logits import metrics_for_logits
from modelspec.checks.metrics import check_metrics
from modelspec.checks.output_layers import NOT_PROBABILITIES, PROBABILITIES, LastLayer, last_layer
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Related, Route, Severity

_UNSAID = {"crossentropy", "ce"}


def check_losses(
    spec: Spec, graph: Graph, heads: Sequence[Head], catalog: Catalog
) -> list[Diagnostic]:
    """Check losses, their weights and metrics against the outputs."""
    nodes = {node.name: node for node in graph.nodes}
    problems: list[Diagnostic] = []
    for head in heads:
        source = graph.outputs.get(head.output)
        node = nodes.get(source.name) if source and source.index is None else None
        last = last_layer(node, nodes, catalog)
        problems += _check_loss(head, last, catalog)
        problems += check_metrics(head, last, catalog)
    problems += _check_weights(spec, heads)
    if any(head.loss is not None for head in heads):
        problems += _without_loss(spec, heads)
    return problems


def _check_loss(head: Head, last: LastLayer, catalog: Catalog) -> Iterator[Diagnostic]:
    """Yield the first problem of a loss with its output, because one change may solve several."""
    loss, arguments = read_object(catalog, "loss", head.loss)
    if loss in _UNSAID:
        loss = "binarycrossentropy" if last.width == 1 else ""
    facts = LOSSES.get(loss)
    if facts is None:
        return
    logits = arguments.get("from_logits") is True
    impossible = _impossible(facts, last, logits=logits)
    wrong = impossible or _of_one_value(facts, last)
    wrong = wrong or (None if logits else _unlikely(head, facts, last, catalog))
    if wrong is None:
        return
    message, hint = wrong
    severity: Severity = "error" if impossible else "warning"
    twice = logits and last.activation in PROBABILITIES
    written = Written.read(head.loss, head.route)
    route = (*written.route, "from_logits") if written and twice else head.route
    related = (Related(f"{head.output} ends here", last.route),) if last.route else ()
    message = f"{head.output} {message}"
    yield Diagnostic("loss-mismatch", message, route, "value", severity, hint, related)


def _impossible(facts: LossFacts, last: LastLayer, *, logits: bool) -> tuple[str, str] | None:
    if last.activation in PROBABILITIES and (logits or facts.outputs == "logits"):
        if logits:
            hint = "remove from_logits, or the activation"
            return f"ends in {last.activation}, and from_logits applies it again", hint
        hint = "remove the activation: the loss takes logits"
        return f"ends in {last.activation}, and this loss applies softmax again", hint
    if last.activation == "softmax" and last.width == 1:
        hint = "sigmoid is the activation for one unit"
        return "is a softmax of one unit, which is always 1, so nothing is learned", hint
    if facts.targets == "sequences" and last.width == 1:
        fault = "has one unit, but this loss needs one unit for each id and one for the blank"
        return fault, "add units"
    if facts.targets in ("ids", "one-hot") and last.width == 1:
        hint = "binary_crossentropy is the loss for one unit"
        return "has one unit, but this loss needs one unit for each class", hint
    return None


def _of_one_value(facts: LossFacts, last: LastLayer) -> tuple[str, str] | None:
    if facts.outputs != "embeddings" or last.width != 1:
        return None
    fault = "has one unit, but this loss compares directions, which for one value are only its sign"
    return fault, "add units, or use mse"


def _unlikely(
    head: Head, facts: LossFacts, last: LastLayer, catalog: Catalog
) -> tuple[str, str] | None:
    classes = facts.outputs == "shares"
    if facts.outputs in ("shares", "probabilities") and last.activation in NOT_PROBABILITIES:
        right = "softmax" if classes else "sigmoid"
        hint = f"end it in activation: {right}" + _or_logits(head, facts, catalog)
        return f"ends in {last.activation}, but this loss needs probabilities", hint
    if facts.outputs == "rates" and last.activation in NOT_PROBABILITIES - {"relu", "relu6"}:
        hint = "end it in activation: softplus, or exponential"
        return f"ends in {last.activation}, but this loss needs values above 0", hint
    if facts.outputs == "probabilities" and not facts.of_batch and last.activation == "softmax":
        hint = "use categorical_crossentropy, or end it in activation: sigmoid"
        return "is a softmax over classes, but this loss treats each class separately", hint
    if classes and last.activation in ("sigmoid", "hardsigmoid"):
        hint = "end it in softmax; for several labels per sample use binary_crossentropy"
        return "ends in sigmoid, whose values do not sum to 1 over the classes", hint
    if facts.outputs == "quantities" and last.activation == "softmax":
        hint = "use categorical_crossentropy or sparse_categorical_crossentropy"
        return "is a softmax over classes, but this loss is for regression", hint
    return None


def _or_logits(head: Head, facts: LossFacts, catalog: Catalog) -> str:
    """Return the other remedy: ``from_logits`` of the loss, and what its metrics then need."""
    if not facts.from_logits:
        return ""
    way = ", or give the loss from_logits: true"
    metrics = metrics_for_logits(head, facts, catalog)
    return f"{way}, and write the metrics as {', '.join(metrics)}" if metrics else way


def _check_weights(spec: Spec, heads: Sequence[Head]) -> Iterator[Diagnostic]:
    for position, head in enumerate(heads):
        if head.weight <= 0:
            form = type(spec.loss_weights)
            steps: Route = (head.output,) if form is dict else (position,) if form is list else ()
            effect = "is not trained" if head.weight == 0 else "is trained to increase its loss"
            message = f"with a loss weight of {head.weight:g}, {head.output} {effect}"
            yield Diagnostic("loss-weight", message, ("loss_weights", *steps), severity="warning")


def _without_loss(spec: Spec, heads: Sequence[Head]) -> Iterator[Diagnostic]:
    for position, head in enumerate(heads):
        unsaid = head.loss is None and not _is_null(spec.losses, head, position)
        if unsaid and all_placed(spec.losses, heads):
            step = head.output if isinstance(spec.outputs, dict) else position
            message = f"{head.output} has no loss, but other outputs have one: it is not trained"
            yield Diagnostic("output-without-loss", message, ("outputs", step), "value", "warning")


def _is_null(losses: Any, head: Head, position: int) -> bool:
    """Return True where the spec states that an output has no loss."""
    if isinstance(losses, list):
        return position < len(losses) and losses[position] is None
    return isinstance(losses, Mapping) and head.output in losses and losses[head.output] is None


def all_placed(value: Any, heads: Sequence[Head]) -> bool:
    """Return True where every value belongs to an output; others are reported elsewhere."""
    if len(heads) == 1:
        return True
    if isinstance(value, list):
        return len(value) == len(heads)
    return not isinstance(value, Mapping) or {head.output for head in heads}.issuperset(value)

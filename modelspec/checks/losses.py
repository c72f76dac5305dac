"""Losses and metrics against the outputs that they judge, by the graph alone.

Errors where training could not work, warnings where it probably is not meant. Nothing is said of
an output whose last layer does not tell its activation or its width.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelspec.catalog import Catalog
from modelspec.catalog.losses import REGRESSION, folded, is_object, read_object
from modelspec.graph.graph import Graph, Node
from modelspec.graph.heads import Head, Placed
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic, Related, Route, Severity

_WIDTHS = {"Dense": "units"} | {
    name: "filters"
    for rank in "123"
    for name in (f"Conv{rank}D", f"SeparableConv{rank}D", f"Conv{rank}DTranspose")
}
_SAME_WIDTH = {"Activation", "Softmax", "Dropout", "Identity", "ActivityRegularization"}
_PROBABILITIES = {"softmax", "sigmoid", "hardsigmoid", "sparsemax"}
_NOT_PROBABILITIES = {"linear", "relu", "relu6", "tanh", "elu", "selu", "gelu", "silu", "leakyrelu"}

_CATEGORICAL = {"categoricalcrossentropy", "categoricalfocalcrossentropy"}
_SPARSE = {"sparsecategoricalcrossentropy", "categoricalgeneralizedcrossentropy"}
_CLASSES = _CATEGORICAL | _SPARSE
_BINARY = {"binarycrossentropy", "binaryfocalcrossentropy"}
_UNSAID = {"crossentropy", "ce"}
_ACCURACIES = {"accuracy", "acc", "binaryaccuracy"}
_OF_IDS = {"sparsecategoricalaccuracy", "sparsetopkcategoricalaccuracy", *_SPARSE}
_OF_CLASSES = {"categoricalaccuracy", "topkcategoricalaccuracy", *_CATEGORICAL}
_OF_ROWS = {
    *("auc", "precision", "recall", "f1score", "fbetascore", "categoricalhinge"),
    *("truepositives", "truenegatives", "falsepositives", "falsenegatives", "binaryaccuracy"),
    *_OF_CLASSES,
    *REGRESSION,
    *_BINARY,
}


@dataclass(frozen=True, slots=True)
class _Last:
    """What is known of the values of an output; ``route`` is the place of the activation."""

    activation: str | None = None
    width: int | None = None
    route: Route = ()


def check_losses(
    spec: Spec, graph: Graph, heads: Sequence[Head], catalog: Catalog
) -> list[Diagnostic]:
    """Losses, their weights and metrics against the outputs."""
    nodes = {node.name: node for node in graph.nodes}
    problems: list[Diagnostic] = []
    for head in heads:
        source = graph.outputs.get(head.output)
        node = nodes.get(source.name) if source and source.index is None else None
        last = _last(node, nodes, catalog)
        problems += _check_loss(head, last, catalog)
        for metric in head.metrics:
            problems += _check_metric(head, metric, last, catalog)
    problems += _check_weights(spec, heads)
    if any(head.loss is not None for head in heads):
        problems += _without_loss(spec, heads)
    return problems


def _last(node: Node | None, nodes: Mapping[str, Node], catalog: Catalog) -> _Last:
    """Follow an output back to the layer that makes it, over those that keep its width."""
    activation = "linear"
    route: Route = ()
    while node is not None:
        owner = nodes.get(node.layer, node)
        kind, given, place = owner.type, owner.arguments or {}, (*owner.route, owner.type)
        while kind == "TimeDistributed" and is_object(given) and is_object(given.get("layer")):
            [(kind, inner)] = given["layer"].items()
            place, given = (*place, "layer", kind), inner or {}
        if not isinstance(given, Mapping) or given.get("data_format") == "channels_first":
            return _Last()
        own = _activation(kind, given, catalog)
        if activation == "linear" and own != "linear":
            activation, route = own, (*place, "activation") if "activation" in given else place
        if kind in _WIDTHS:
            width = given.get(_WIDTHS[kind])
            return _Last(activation, width if type(width) is int else None, route or place)
        sources = list(node.sources())
        if kind not in _SAME_WIDTH or len(sources) != 1 or sources[0].index is not None:
            return _Last(activation if activation != "linear" else None, None, route)
        node = nodes.get(sources[0].name)
    return _Last(activation if activation != "linear" else None, None, route)


def _activation(kind: str, given: Mapping[Any, Any], catalog: Catalog) -> str:
    """The folded name of a layer's activation; an empty one where it cannot be told."""
    if kind in ("Softmax", "ReLU", "LeakyReLU", "ELU"):
        return kind.lower() if not given else ""
    value = given.get("activation", "linear")
    name = next(iter(value)) if is_object(value) else value
    if name is None:
        return "linear"
    entry = catalog.find("activation", name) if isinstance(name, str) else None
    return folded(entry.name) if entry else ""


def _check_loss(head: Head, last: _Last, catalog: Catalog) -> Iterator[Diagnostic]:
    """What is wrong with a loss on its output: the first, since one change may cure all."""
    loss, given = read_object(catalog, "loss", head.loss)
    if loss in _UNSAID:
        loss = "binarycrossentropy" if last.width == 1 else ""
    logits = bool(loss) and given.get("from_logits") is True
    found = _impossible(loss, last, logits=logits)
    wrong = found or (_unlikely(loss, last) if loss and not logits else None)
    if wrong is None:
        return
    message, hint = wrong
    severity: Severity = "error" if found else "warning"
    twice = logits and last.activation in _PROBABILITIES
    route = (*head.route, next(iter(head.loss)), "from_logits") if twice else head.route
    related = (Related(f"{head.output} ends here", last.route),) if last.route else ()
    message = f"{head.output} {message}"
    yield Diagnostic("loss-mismatch", message, route, "value", severity, hint, related)


def _impossible(loss: str, last: _Last, *, logits: bool) -> tuple[str, str] | None:
    if logits and last.activation in _PROBABILITIES:
        hint = "leave out from_logits, or the activation"
        return f"ends in {last.activation}, and from_logits applies it again", hint
    if loss and last.activation == "softmax" and last.width == 1:
        hint = "sigmoid is the activation for one unit"
        return "is a softmax of one unit, which is always 1: nothing is learnt", hint
    if loss in _CLASSES and last.width == 1:
        hint = "binary_crossentropy is the loss for one unit"
        return "has one unit, and this loss needs a unit for each class", hint
    return None


def _unlikely(loss: str, last: _Last) -> tuple[str, str] | None:
    if loss in _CLASSES | _BINARY and last.activation in _NOT_PROBABILITIES:
        right = "softmax" if loss in _CLASSES else "sigmoid"
        hint = f"end it in activation: {right}, or give the loss from_logits: true"
        return f"ends in {last.activation}, and this loss needs probabilities", hint
    if loss in _BINARY and last.activation == "softmax":
        hint = "use categorical_crossentropy, or end it in activation: sigmoid"
        return "is a softmax over classes, and this loss takes each for itself", hint
    if loss in _CLASSES and last.activation in ("sigmoid", "hardsigmoid"):
        hint = "end it in softmax; for several labels a sample use binary_crossentropy"
        return "ends in sigmoid, whose values do not add up to 1 over the classes", hint
    if loss in REGRESSION and last.activation == "softmax":
        hint = "use categorical_crossentropy or sparse_categorical_crossentropy"
        return "is a softmax over classes, and this loss is for quantities", hint
    return None


def _check_metric(
    head: Head, metric: Placed, last: _Last, catalog: Catalog
) -> Iterator[Diagnostic]:
    name, _ = read_object(catalog, "metric", metric.value)
    loss, _ = read_object(catalog, "loss", head.loss)
    several = last.width is not None and last.width > 1

    def found(message: str, hint: str, *, error: bool = False) -> Diagnostic:
        severity: Severity = "error" if error else "warning"
        return Diagnostic("metric-mismatch", message, metric.route, "value", severity, hint)

    if loss in _SPARSE and name in _OF_ROWS and several:
        message = f"the targets of {head.output} are class ids, and this metric needs a row of them"
        yield found(message, "accuracy fits either; or use one-hot targets", error=True)
    elif loss in _CATEGORICAL and name in _OF_IDS:
        message = f"the targets of {head.output} are one-hot rows, and this metric needs class ids"
        yield found(message, "use accuracy, or the metric without sparse", error=True)
    elif last.width == 1 and name in (_OF_IDS | _OF_CLASSES):
        message = f"{head.output} has one unit: this metric finds its only class always right"
        yield found(message, "binary_accuracy is the metric for one unit")
    elif (
        loss in REGRESSION
        and last.activation in _NOT_PROBABILITIES
        and name in _ACCURACIES | _OF_IDS | _OF_CLASSES
    ):
        message = f"{head.output} is a quantity, which is never exactly right"
        yield found(message, "mae tells how far off it is")


def _check_weights(spec: Spec, heads: Sequence[Head]) -> Iterator[Diagnostic]:
    for position, head in enumerate(heads):
        if head.weight <= 0:
            form = type(spec.loss_weights)
            steps: Route = (head.output,) if form is dict else (position,) if form is list else ()
            effect = "is not trained" if head.weight == 0 else "is trained to be wrong"
            message = f"with a loss weight of {head.weight:g}, {head.output} {effect}"
            yield Diagnostic("loss-weight", message, ("loss_weights", *steps), severity="warning")


def _without_loss(spec: Spec, heads: Sequence[Head]) -> Iterator[Diagnostic]:
    for position, head in enumerate(heads):
        if head.loss is None and all_placed(spec.losses, heads):
            step = head.output if isinstance(spec.outputs, dict) else position
            message = f"{head.output} has no loss, and others have: it is not trained"
            yield Diagnostic("output-without-loss", message, ("outputs", step), "value", "warning")


def all_placed(given: Any, heads: Sequence[Head]) -> bool:
    """Whether every value found its output: one that did not is reported, and was meant for one."""
    if len(heads) == 1:
        return True
    if isinstance(given, list):
        return len(given) == len(heads)
    return not isinstance(given, Mapping) or {head.output for head in heads}.issuperset(given)

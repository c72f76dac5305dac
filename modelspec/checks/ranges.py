"""Arguments with which Keras computes, although the results have no meaning."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from modelspec.checks.plain_values import numbers_in
from modelspec.graph.graph import Graph, Node
from modelspec.graph.heads import Head
from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Route


@dataclass(frozen=True, slots=True)
class Range:
    """The values of an argument that have a meaning; ``words`` name them in a message.

    ``objects`` are the Keras objects whose argument it is; empty: all objects. Keras itself refuses
    values above ``refused``.
    """

    words: str
    low: float = 0.0
    high: float = math.inf
    takes_low: bool = True
    objects: frozenset[str] = frozenset()
    refused: float = math.inf

    def holds(self, value: float) -> bool:
        above = value >= self.low if self.takes_low else value > self.low
        return (above and value < self.high) or value > self.refused


def _positive(*objects: str) -> Range:
    return Range("finite and above 0", takes_low=False, objects=frozenset(objects))


def _not_negative(*objects: str) -> Range:
    return Range("finite, and 0 or more", objects=frozenset(objects))


def _share(*objects: str) -> Range:
    return Range("0 or more and below 1", high=1.0, objects=frozenset(objects))


_DIVIDED = ("AlphaDropout", "GaussianDropout")
_DROPOUTS = ("Dropout", *(f"SpatialDropout{n}D" for n in "123"))
_FOCAL = ("BinaryFocalCrossentropy", "CategoricalFocalCrossentropy")
_RANGES: Final[Mapping[str, Range]] = {
    "beta_1": _share(),
    "beta_2": _share(),
    "rho": _share(),
    "ema_momentum": _share(),
    "momentum": _share("BatchNormalization"),
    "rate": Range("below 1", -math.inf, 1.0, objects=frozenset(_DROPOUTS), refused=1.0),
    "dropout": Range("below 1", -math.inf, 1.0, refused=1.0),
    "recurrent_dropout": Range("below 1", -math.inf, 1.0, refused=1.0),
    "stddev": _not_negative("RandomNormal", "TruncatedNormal"),
    "label_smoothing": _share(),
    "learning_rate": _not_negative(),
    "initial_learning_rate": _not_negative(),
    "decay_rate": _positive("ExponentialDecay"),
    "power": _positive("PolynomialDecay"),
    "t_mul": _positive(),
    "delta": _positive(),
    "alpha": _positive("ops.celu", "AugMix", "MixUp"),
    "gamma": _not_negative(*_FOCAL),
    "sampling_rate": _positive("MelSpectrogram"),
    "ngrams": _positive("TextVectorization"),
    "epsilon": _positive(),
    "epsilon_1": _positive(),
    "clipnorm": _positive(),
    "clipvalue": _positive(),
    "global_clipnorm": _positive(),
    "loss_scale_factor": _positive(),
    "initial_scale": _positive(),
    "weight_decay": _not_negative(),
    "initial_accumulator_value": _positive("Ftrl"),
    "max_value": _positive("MaxNorm", "ReLU"),
    "factor": Range("above 0 and below 1", 0.0, 1.0, False, frozenset({"ReduceLROnPlateau"}), 1.0),
    "save_freq": Range("1 or more", 1.0, objects=frozenset({"ModelCheckpoint"})),
    "patience": _not_negative("EarlyStopping", "ReduceLROnPlateau"),
}
"""The ranges of arguments by name; a name has one meaning in all objects, or in those named."""

_ORDER: Final = frozenset(
    {"Softmax", "UnitNormalization"}
    | {f"ops.{name}" for name in ("softmax", "log_softmax", "flip", "roll", "sort", "argsort")}
    | {f"ops.{name}" for name in ("cumsum", "cumprod")}
)
"""Calls along an axis that keep its length."""

_OVER_ALL: Final = frozenset({"ops.flip", "ops.roll"})
"""Calls that move values along all axes, where no axis is named."""

_ORDERED: Final = {
    "RandomUniform": ("minval", "maxval"),
    "MinMaxNorm": ("min_value", "max_value"),
    "ops.clip": ("x_min", "x_max"),
}
"""Objects with a lower and an upper bound."""

_ASCENDING: Final = {"bin_boundaries": "Discretization", "boundaries": "PiecewiseConstantDecay"}
"""Lists of numbers in ascending order, and the object that takes them."""


def check_ranges(spec: Spec, graph: Graph, heads: Sequence[Head]) -> Iterator[Diagnostic]:
    """Warn of values in Keras objects that are out of their range."""
    yield from _inside(spec.optimizer, ("optimizer",))
    for head in heads:
        yield from _inside(head.loss, head.route)
        yield from _along_the_batch(head.loss, head.route)
        for metric in head.metrics:
            yield from _inside(metric.value, metric.route)
            yield from _along_the_batch(metric.value, metric.route)
    for position, callback in enumerate(spec.training.callbacks):
        yield from _inside(callback, ("training", "callbacks", position))
    # Repeated layers share their constant arguments, which may be long lists.
    seen: set[int] = set()
    for node in graph.nodes:
        if node.layer == node.name:
            own = {name: value for name, value in _parts(node) if id(value) not in seen}
            seen.update(id(value) for value in own.values() if isinstance(value, list))
            yield from _inside({node.type: own}, node.route)
            yield from _mixed(node)


def _mixed(node: Node) -> Iterator[Diagnostic]:
    """Warn of a call along the batch, whose results depend on the other samples in it."""
    along = dict(_parts(node)).get("axis")
    whole = node.type in _OVER_ALL and along is None
    if whole or (node.type in _ORDER and along == 0 and type(along) is int):
        message = f"axis 0 is the batch: {node.type} mixes the values of different samples"
        route = (*node.route, node.type, *([] if whole else ["axis"]))
        hint = "the axes of a sample begin with 1"
        yield Diagnostic("wrong-value", message, route, severity="warning", hint=hint)


def _along_the_batch(value: Any, route: Route) -> Iterator[Diagnostic]:
    """Warn of a loss or metric that compares the values of different samples."""
    written = Written.read(value, route)
    along = written.arguments.get("axis") if written else None
    one = written is not None and ("entropy" in written.name or "Similarity" in written.name)
    if written is not None and one and along == 0 and type(along) is int:
        message = "axis 0 is the batch: the values of different samples are compared"
        place = (*written.route, "axis")
        yield Diagnostic("wrong-value", message, place, severity="warning", hint="axis: -1")


def _parts(node: Node) -> Iterable[tuple[Any, Any]]:
    return node.arguments.items() if isinstance(node.arguments, Mapping) else ()


def _inside(value: Any, route: Route) -> Iterator[Diagnostic]:
    """Yield the problems of an object and of the objects among its arguments."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _inside(item, (*route, position))
    written = Written.read(value, route) if isinstance(value, Mapping) else None
    if written is None:
        return
    for name, argument in written.arguments.items():
        place = (*written.route, name)
        if isinstance(argument, int | float) and not isinstance(argument, bool):
            yield from _number(written.name, name, argument, place)
        elif _ASCENDING.get(name) == written.name:
            yield from _ascending(name, argument, place)
        else:
            yield from _inside(argument, place)
    low, high = (written.arguments.get(name) for name in _ORDERED.get(written.name, ("", "")))
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        lower, upper = _ORDERED[written.name]
        message = f"{lower} of {written.name} is at most {upper}, but {low} is above {high}"
        yield Diagnostic("wrong-value", message, (*written.route, lower), severity="warning")
    if written.name == "Normalization":
        yield from _variance(written.arguments.get("variance"), (*written.route, "variance"))


def _number(owner: str, name: str, value: float, route: Route) -> Iterator[Diagnostic]:
    if name == "rate" and value == 1 and owner in _DIVIDED:
        message = f"rate is below 1: {owner} divides by 1 - rate"
        yield Diagnostic("wrong-value", message, route)
        return
    if isinstance(value, float) and math.isnan(value) and not owner.startswith("ops."):
        message = f"{name} is NaN, and so is everything that is computed from it"
        yield Diagnostic("wrong-value", message, route, severity="warning")
        return
    known = _RANGES.get(name)
    if known is None or (known.objects and owner not in known.objects) or known.holds(value):
        return
    message = (
        f"{name} is {known.words}, not {value}: Keras computes with it, but the result has no "
        "meaning"
    )
    yield Diagnostic("wrong-value", message, route, severity="warning")


def _ascending(name: str, values: Any, route: Route) -> Iterator[Diagnostic]:
    if not isinstance(values, list) or not all(isinstance(value, int | float) for value in values):
        return
    if not values and name == "boundaries":
        message = "boundaries is empty: without a boundary, the learning rate is a number"
        yield Diagnostic("wrong-value", message, route)
    if sorted(values) != values:
        yield Diagnostic("wrong-value", f"{name} must be in ascending order", route)


def _variance(value: Any, route: Route) -> Iterator[Diagnostic]:
    """Report variances by which Normalization cannot divide: their root is NaN, or 0."""
    numbers = list(numbers_in(value))
    if any(number < 0 for number in numbers):
        yield Diagnostic("wrong-value", "a variance is 0 or more", route)
    elif 0 in numbers:
        message = (
            "a variance of 0: Normalization divides by 1e-7 instead, so every value that is not "
            "the mean becomes very large"
        )
        hint = "write 1 as the variance of a constant column"
        yield Diagnostic("wrong-value", message, route, severity="warning", hint=hint)

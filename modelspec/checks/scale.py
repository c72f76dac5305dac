"""Targets and inputs whose scale is far from that of new weights.

Keras trains on such data without a message, and a head stays at its first values. Only the training
part is checked, on some thousand of its rows.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from modelspec.catalog.losses import JudgedHead, is_regression
from modelspec.checks.reach import (
    FAR,
    KEEP_VALUES,
    LARGE,
    Pace,
    Reach,
    reach_of,
    reaches_weights,
)
from modelspec.data.concatenated import Array, Column
from modelspec.data.dataset import Dataset
from modelspec.graph.graph import Graph, Input, Node
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic

SCALE_CODES: Final = frozenset({"target-scale", "input-scale"})

_ROWS = 4096
_SMALL = 1e-3
_APART = 1000.0
_MOST_COLUMNS = 12
_MOST_PLACES = 4
_BYTE = 255
_BOUNDS = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
}


@dataclass(frozen=True, slots=True)
class _Spread:
    """The mean, standard deviation and extreme values of each column of some rows."""

    mean: Array
    deviation: Array
    low: float
    high: float


def check_scale(
    graph: Graph, heads: Sequence[JudgedHead], dataset: Dataset, pace: Pace | None = None
) -> Iterator[Diagnostic]:
    """Warn of arrays without errors whose scale is far from that of new weights.

    With the ``pace`` of a training, a target is compared with what the training can reach.
    """
    for name, array in dataset.inputs.items():
        if name in graph.inputs:
            shown = dataset.array_names.get(name, name)
            yield from _input(graph, graph.inputs[name], shown, array)
    for head in heads:
        target = dataset.targets.get(head.output)
        if target is not None and is_regression(head.loss):
            shown = dataset.array_names.get(head.output, head.output)
            yield from _target(graph, head.output, shown, dataset, pace)


def _spread(array: Column) -> _Spread | None:
    if not len(array) or array.dtype.kind not in "biuf":
        return None
    rows = array[np.linspace(0, len(array) - 1, min(_ROWS, len(array))).astype(np.int64)]
    values = rows.astype(np.float64)
    columns = values if values.ndim == 2 else values.reshape(-1, 1)  # noqa: PLR2004
    if not columns.size:
        return None
    if np.isnan(columns).any():  # the graph replaces missing values
        columns = columns[:, ~np.isnan(columns).all(axis=0)]
        if not columns.size:
            return None
    low, high = float(np.nanmin(columns)), float(np.nanmax(columns))
    return _Spread(np.nanmean(columns, 0), np.nanstd(columns, 0), low, high)


def is_raw(target: Column) -> bool:
    """Return True where a target is far from the values of a head without Rescaling."""
    spread = _spread(target)
    if spread is None:
        return False
    return bool((spread.deviation > LARGE).any() or (np.abs(spread.mean) > FAR).any())


def is_scaled(graph: Graph, output: str) -> bool:
    """Return True where an output ends in a Rescaling of its last layer with weights."""
    nodes = {node.name: node for node in graph.nodes}
    source = graph.outputs.get(output)
    node = nodes.get(source.name) if source is not None and source.index is None else None
    ending = _ending(node, nodes) if node is not None else None
    return ending is not None and bool((ending[0][0] != 1).any())


def _target(
    graph: Graph, output: str, name: str, dataset: Dataset, pace: Pace | None
) -> Iterator[Diagnostic]:
    nodes = {node.name: node for node in graph.nodes}
    source = graph.outputs.get(output)
    node = nodes.get(source.name) if source is not None and source.index is None else None
    spread = _spread(dataset.targets[output])
    if node is None or spread is None:
        return
    ending = _ending(node, nodes)
    if ending is None:
        return
    (scale, offset), last = ending
    if not {len(scale), len(offset)} <= {1, len(spread.mean)}:
        return
    outside = _outside(last, spread, scale, offset)
    mean, deviation = (spread.mean - offset) / scale, np.abs(spread.deviation / scale)
    reach = reach_of(graph, node, dataset, pace)
    largest = np.maximum(np.abs(mean) / reach.mean, deviation / reach.spread)
    tiny = max(np.abs(mean).max(), deviation.max()) < _SMALL and deviation.max() > 0
    if not outside and not tiny and largest.max() <= 1:
        return
    at = int(largest.argmax())
    column = f" in column {at}" if len(largest) > 1 else ""
    message = (
        f"the targets of {output} ({name}) have a mean of {_short(spread.mean[at])} and a standard "
        f"deviation of {_short(spread.deviation[at])}{column}, far from what the head gives: "
    ) + (outside or _pace_text(reach, pace))
    hint = (
        f"end the head in  - Rescaling: {_rescaling(spread)}  and give that layer the name "
        f"{output}" + ("; leave out the activation before it" if outside else "")
    )
    yield Diagnostic("target-scale", message, node.route, "key", "warning", hint)


def _pace_text(reach: Reach, pace: Pace | None) -> str:
    if pace is None or reach == Reach():
        return "values about 1, until the weights have grown"
    return f"values about 1, which {pace.steps:,} steps move by about {reach.mean:.0f}"


def _ending(
    node: Node, nodes: Mapping[str, Node]
) -> tuple[tuple[Array, Array], Mapping[str, Any]] | None:
    """Return the scale and offset that a head applies to its last layer's values, and that layer.

    Return None where the head does not end in a Dense layer or a convolution.
    """
    scale, offset = np.ones(1), np.zeros(1)
    while True:
        owner = nodes.get(node.layer, node)
        arguments = owner.arguments
        if owner.type == "Dense" or "Conv" in owner.type:
            return (scale, offset + scale * _first_bias(arguments)), arguments
        if owner.type == "Rescaling":
            factor, more = (
                _numbers(arguments.get("scale"), 1.0),
                _numbers(arguments.get("offset"), 0.0),
            )
            scale, offset = scale * factor, offset + scale * more
        elif owner.type not in KEEP_VALUES and arguments != {"activation": "linear"}:
            return None
        sources = list(node.sources())
        if len(sources) != 1 or sources[0].name not in nodes or not scale.all():
            return None
        node = nodes[sources[0].name]


def _first_bias(arguments: Mapping[str, Any]) -> Array:
    """Return the bias of a layer before training."""
    written: Any = arguments.get("bias_initializer")
    constant = Written.read(written)
    is_constant = constant is not None and constant.name == "Constant"
    return _numbers(constant.arguments.get("value") if constant and is_constant else None, 0.0)


def _numbers(value: Any, default: float) -> Array:
    try:
        values = np.atleast_1d(np.asarray(default if value is None else value, np.float64))
    except (TypeError, ValueError):
        values = np.full(1, default)
    return values if values.ndim == 1 else np.full(1, default)


def _outside(last: Mapping[str, Any], spread: _Spread, scale: Array, offset: Array) -> str:
    """Describe the range that an activation cannot exceed but the targets do; empty if none do."""
    activation = last.get("activation")
    low, high = (
        _BOUNDS.get(activation, (-math.inf, math.inf))
        if isinstance(activation, str)
        else (-math.inf, math.inf)
    )
    if len(scale) > 1 or len(offset) > 1:
        return ""
    ends = sorted((low * scale[0] + offset[0], high * scale[0] + offset[0]))
    room = 1e-3 * abs(ends[1] - ends[0]) if math.isfinite(ends[1] - ends[0]) else 1e-6
    if spread.low >= ends[0] - room and spread.high <= ends[1] + room:
        return ""
    bounds = f"{ends[0]:g} to {ends[1]:g}" if math.isfinite(ends[1]) else f"{ends[0]:g} or more"
    return f"after {activation}, {bounds}"


def _rescaling(spread: _Spread) -> str:
    deviation = np.where(spread.deviation > 0, spread.deviation, 1.0)
    if len(deviation) == 1:
        return f"{{scale: {_short(deviation[0])}, offset: {_near(spread.mean[0], deviation[0])}}}"
    if len(deviation) > _MOST_COLUMNS:
        size = float(np.sqrt((spread.deviation**2).mean())) or 1.0
        return f"{{scale: {_short(size)}, offset: {_near(spread.mean.mean(), size)}}}"
    means = ", ".join(map(_near, spread.mean, deviation))
    return f"{{scale: {_list(deviation)}, offset: [{means}]}}"


def _list(values: Array) -> str:
    return f"[{', '.join(map(_short, values))}]"


def _short(value: float) -> str:
    """Format three digits so that every YAML reader reads a number."""
    text = f"{float(value):.3g}"
    mantissa, exponent, power = text.partition("e")
    if not exponent:
        return text
    if abs(float(text)) >= 1:
        return f"{float(text):.0f}"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{power}"


def _near(value: float, deviation: float) -> str:
    """Round a mean to a tenth of the standard deviation."""
    places = 1 - math.floor(math.log10(deviation))
    rounded = round(float(value), places)
    return f"{rounded:.{max(places, 0)}f}" if places < _MOST_PLACES else _short(rounded)


def _input(graph: Graph, declared: Input, name: str, array: Column) -> Iterator[Diagnostic]:
    if "float" not in declared.dtype or not reaches_weights(graph, declared.name):
        return
    spread = _spread(array)
    if spread is None:
        return
    images = array.ndim > 3 or (array.ndim == 3 and array.dtype == np.uint8)  # noqa: PLR2004
    problem = _bytes(name, spread) if images else _apart(name, spread)
    if problem := problem or _far(name, spread):
        yield Diagnostic("input-scale", problem[0], declared.route, "key", "warning", problem[1])


def _bytes(name: str, spread: _Spread) -> tuple[str, str] | None:
    if spread.low < 0 or not LARGE < spread.high <= _BYTE:
        return None
    message = f"array {name} has values from {spread.low:g} to {spread.high:g}, as bytes have"
    hint = "begin with  - Rescaling: {scale: 0.00392156862745098}  which makes them 0 to 1"
    return message, hint


def _apart(name: str, spread: _Spread) -> tuple[str, str] | None:
    """Describe columns whose standard deviations are far from each other."""
    sizes = spread.deviation[spread.deviation > 0]
    if not len(sizes) or sizes.max() <= LARGE or sizes.max() / sizes.min() < _APART:
        return None
    large, small = (
        int(spread.deviation.argmax()),
        int(np.where(spread.deviation > 0, spread.deviation, np.inf).argmin()),
    )
    message = (
        f"the columns of array {name} differ in scale: the standard deviation is "
        f"{_short(spread.deviation[large])} in column {large} and "
        f"{_short(spread.deviation[small])} in column {small}"
    )
    return message, _normalization(spread)


def _far(name: str, spread: _Spread) -> tuple[str, str] | None:
    """Describe values that are far from those that new weights are made for."""
    sizes = np.maximum(np.abs(spread.mean), spread.deviation)
    at = int(sizes.argmax())
    if sizes[at] <= FAR:
        return None
    column = f" in column {at}" if len(sizes) > 1 else ""
    message = (
        f"array {name} has a mean of {_short(spread.mean[at])} and a standard deviation of "
        f"{_short(spread.deviation[at])}{column}, and new weights need values about 1"
    )
    if len(sizes) > 1:
        return message, _normalization(spread)
    deviation = spread.deviation[0] or 1.0
    scale, offset = _short(1 / deviation), _short(-spread.mean[0] / deviation)
    return message, f"begin with  - Rescaling: {{scale: {scale}, offset: {offset}}}"


def _normalization(spread: _Spread) -> str:
    """Return the hint of a layer that brings all columns to one scale."""
    if len(spread.mean) > _MOST_COLUMNS:
        return "begin with  - BatchNormalization  which brings them to one scale"
    variance = np.where(spread.deviation > 0, spread.deviation**2, 1.0)
    means, variances = _list(spread.mean), _list(variance)
    return f"begin with  - Normalization: {{mean: {means}, variance: {variances}}}"

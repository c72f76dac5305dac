"""Targets and inputs whose scale is far from that of new weights.

Keras trains on such data without a message, and a head stays at its first values. Only the training
part is checked, on some thousand of its rows.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from modelspec.catalog.losses import JudgedHead, is_regression
from modelspec.checks.constant_columns import check_constant_columns
from modelspec.checks.input_scale import check_input_scale
from modelspec.checks.reach import FAR, KEEP_VALUES, LARGE, Pace, Reach, reach_of
from modelspec.checks.spread import MOST_COLUMNS, Spread, listed, near, short, spread_of
from modelspec.data.concatenated import Array, Column
from modelspec.data.dataset import Dataset
from modelspec.graph.graph import Graph, Node
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic

SCALE_CODES: Final = frozenset({"target-scale", "input-scale"})

_SMALL = 1e-3
_BOUNDS = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
}


def check_scale(
    graph: Graph, heads: Sequence[JudgedHead], dataset: Dataset, pace: Pace | None = None
) -> Iterator[Diagnostic]:
    """Warn of arrays without errors whose scale is far from that of new weights.

    With the ``pace`` of a training, a target is compared with what the training can reach.
    """
    for name, array in dataset.inputs.items():
        if name in graph.inputs:
            shown = dataset.array_names.get(name, name)
            yield from check_input_scale(graph, graph.inputs[name], shown, array)
            yield from check_constant_columns(graph, name, shown, array)
    for head in heads:
        target = dataset.targets.get(head.output)
        if target is not None and is_regression(head.loss):
            shown = dataset.array_names.get(head.output, head.output)
            yield from _target(graph, head.output, shown, dataset, pace)


def is_raw(target: Column) -> bool:
    """Return True where a target is far from the values of a head without Rescaling."""
    spread = spread_of(target)
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
    spread = spread_of(dataset.targets[output])
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
        f"the targets of {output} ({name}) have a mean of {short(spread.mean[at])} and a standard "
        f"deviation of {short(spread.deviation[at])}{column}, far from the values of the head: "
    ) + (outside or _pace_text(reach, pace))
    if spread.marker is not None:
        hint = (
            f"if {spread.marker:.0f} marks a missing value, save 0 there, and {output}_weight with "
            "0 in those rows, 1 in the others"
        )
        yield Diagnostic("target-scale", message, node.route, "key", "warning", hint)
        return
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


def _outside(last: Mapping[str, Any], spread: Spread, scale: Array, offset: Array) -> str:
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


def _rescaling(spread: Spread) -> str:
    deviation = np.where(spread.deviation > 0, spread.deviation, 1.0)
    if len(deviation) == 1:
        return f"{{scale: {short(deviation[0])}, offset: {near(spread.mean[0], deviation[0])}}}"
    if len(deviation) > MOST_COLUMNS:
        size = float(np.sqrt((spread.deviation**2).mean())) or 1.0
        return f"{{scale: {short(size)}, offset: {near(spread.mean.mean(), size)}}}"
    means = ", ".join(map(near, spread.mean, deviation))
    return f"{{scale: {listed(deviation)}, offset: [{means}]}}"

"""The distance by which training can move the values of a head from those of new weights.

Measured with the defaults of Keras (Adam, a learning rate of 0.001, batches of 32). Over one layer
of 64 units, a mean of 30 is reached after 470 steps, 100 after 700, 200 after 1,000. Over two
layers, 30 is reached after 110 and 200 after 220; over two layers of 256 units, 200 after 90. With
``t`` for learning rate times steps, that is about 3 times the product of the widths, times ``t``
for each layer with weights, because all of them grow together. A large spread matters less: over
one layer and with a standard deviation of 30, 300 steps explain half of what they explain with 1,
and 900 steps nearly all.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from modelspec.data.dataset import Dataset
from modelspec.graph.graph import Graph, Node
from modelspec.language.spec import Spec
from modelspec.language.written import Written

LARGE: Final = 100.0
"""New heads return values of about 1, and a step moves a weight by the learning rate."""

FAR: Final = 1000.0
"""One bias can learn a mean, but a spread needs all weights: a mean may be 10 times larger."""

_LEAST, _LEAST_SPREAD = 5.0, 15.0
_GROWTH = 3.0
_PART = 0.5
"""The part of the training in which a head should reach its mean, with steps left for the rest."""

_SPREAD_IS_EASIER = 3.0
_RATE = 1e-3
_ADAPTIVE = frozenset({"adam", "adamw", "nadam", "adamax", "rmsprop", "lion"})
"""Optimizers whose steps have the size of the learning rate, whatever the gradients are."""

_ROWS = 1024
KEEP_VALUES = frozenset(
    {"Flatten", "Reshape", "Permute", "Identity", "Concatenate", "RepeatVector", "Dropout"}
    | {f"{kind}{rank}D" for kind in ("Cropping", "ZeroPadding", "UpSampling") for rank in "123"}
    | {f"{kind}Pooling{rank}D" for kind in ("Max", "Average") for rank in "123"}
    | {f"Random{kind}" for kind in ("Flip", "Rotation", "Translation", "Zoom", "Crop")}
    | {"Resizing", "CenterCrop", "Masking"}
)
_WEIGHTED = frozenset(
    {"Dense", "EinsumDense", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "MultiHeadAttention"}
    | {f"{kind}Conv{rank}D" for kind in ("", "Separable", "Depthwise") for rank in "123"}
    | {f"ConvLSTM{rank}D" for rank in "123"}
)

_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"} | {f"ConvLSTM{rank}D" for rank in "123"})
_BOUNDED = frozenset({"tanh", "sigmoid", "hard_sigmoid", "softmax", "softsign", "hard_tanh"})


@dataclass(frozen=True, slots=True)
class Reach:
    """The largest mean and standard deviation that a head is likely to learn."""

    mean: float = FAR
    spread: float = LARGE


@dataclass(frozen=True, slots=True)
class Pace:
    """The steps of a training, and the distance by which each moves a weight."""

    steps: int
    rate: float


def pace_of(spec: Spec, samples: int) -> Pace | None:
    """Return the pace of a spec's training; None where the size of its steps is unknown."""
    written = Written.read(spec.optimizer)
    if written is None or written.name.lower() not in _ADAPTIVE:
        return None
    rate = written.arguments.get("learning_rate", _RATE)
    schedule = Written.read(rate)
    if schedule is not None:
        rate = schedule.arguments.get("initial_learning_rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        return None
    batches = math.ceil(samples / spec.training.batch_size)
    return Pace(spec.training.epochs * batches, float(rate))


def reach_of(graph: Graph, node: Node, dataset: Dataset, pace: Pace | None) -> Reach:
    """Return the reach of the head that ends in ``node``, by the widths of the layers below."""
    widths = _widths_below(node, {node.name: node for node in graph.nodes})
    if pace is None or not widths:
        return Reach()
    moved = _PART * pace.rate * pace.steps
    if _is_bounded_below(node, {node.name: node for node in graph.nodes}):
        mean = min(FAR, (widths[0] + 1) * moved)
    else:
        moved *= max(1.0, _largest_input(graph, dataset))
        mean = min(FAR, _GROWTH * math.prod(widths) * moved ** (len(widths) + 1))
    spread = min(LARGE, max(_LEAST_SPREAD, _SPREAD_IS_EASIER * mean))
    return Reach(max(_LEAST, mean), spread)


def _is_bounded_below(node: Node, nodes: Mapping[str, Node]) -> bool:
    """Return True where the layer below a head's last one gives values of at most 1.

    Then only the last layer's weights can grow, and each adds at most its own value.
    """
    weighted = 0
    while True:
        owner = nodes.get(node.layer, node)
        if type(owner.arguments.get("units", owner.arguments.get("filters"))) is int:
            weighted += 1
            if weighted == 2:  # noqa: PLR2004 - the head's last layer, and the one below
                default = "tanh" if owner.type in _RECURRENT else "linear"
                return owner.arguments.get("activation", default) in _BOUNDED
        source = next(iter(node.sources()), None)
        if source is None or source.name not in nodes:
            return False
        node = nodes[source.name]


def _widths_below(node: Node, nodes: Mapping[str, Node]) -> list[int]:
    """Return the units or filters of the layers below a head's last one, along first sources."""
    widths = []
    while True:
        owner = nodes.get(node.layer, node)
        width = owner.arguments.get("units", owner.arguments.get("filters"))
        if type(width) is int:
            widths.append(width)
        source = next(iter(node.sources()), None)
        if source is None or source.name not in nodes:
            return widths[1:]
        node = nodes[source.name]


def _largest_input(graph: Graph, dataset: Dataset) -> float:
    """Return the root mean square of the largest input of quantities, which scales later values."""
    return max((_size(name, graph, dataset) for name in dataset.inputs), default=1.0)


def _size(name: str, graph: Graph, dataset: Dataset) -> float:
    array: Any = dataset.inputs[name]
    declared = graph.inputs.get(name)
    if declared is None or "float" not in declared.dtype or not len(array):
        return 1.0
    if not reaches_weights(graph, name):  # a layer brings its values to another scale first
        return 1.0
    rows = array[np.linspace(0, len(array) - 1, min(_ROWS, len(array))).astype(np.int64)]
    if rows.dtype.kind not in "biuf" or not rows.size:
        return 1.0
    return float(np.sqrt(np.nanmean(np.square(rows.astype(np.float64)))))


def reaches_weights(graph: Graph, name: str) -> bool:
    """Return True where layers that keep values lead from an input to a layer with weights."""
    raw = {name}
    owners = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        if not any(source.name in raw for source in node.sources()):
            continue
        kind = owners.get(node.layer, node).type
        if kind in _WEIGHTED:
            return True
        if kind in KEEP_VALUES:
            raw.add(node.name)
    return False

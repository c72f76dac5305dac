"""Operations of recurrent and attention layers, and the memory for their backward pass."""

import math
from collections.abc import Iterator
from typing import Any

from modelspec.backend.costs.layer_calls import Call, Sizes

SOFTMAX = 5
"""Operations for each element: greatest, difference, exponential, sum, quotient."""

_CELLS = {"LSTMCell": (4, 17), "GRUCell": (3, 17), "SimpleRNNCell": (1, 3)}
"""Matrices of weights that a cell has on either side; elementwise operations for each unit."""

CELLS = (*_CELLS, "StackedRNNCells")

_GATES = 4


def recurrent(call: Call) -> int:
    return call.input[0] * _step(call.layer.cell, call.input[-1])


def one_step(call: Call) -> int:
    """Of a cell that is called by itself."""
    return _step(call.layer, call.input[-1])


def _step(cell: Any, width: int) -> int:
    """Of a cell, or of several on each other, on features of some width."""
    total = 0
    for inner in _cells(cell):
        matrices, others = _CELLS[type(inner).__name__]
        total += inner.units * (2 * matrices * (width + inner.units) + others)
        width = inner.units
    return total


def recurrent_kept(call: Call) -> int:
    """Gates, state and output of every step."""
    cells = _cells(call.layer.cell)
    states: int = sum(cell.units * (_CELLS[type(cell).__name__][0] + 2) for cell in cells)
    return call.input[0] * states


def window(layer: Any) -> int:
    """The places that a convolution's kernel covers at once."""
    return int(math.prod(layer.kernel_size))


def _cells(cell: Any) -> list[Any]:
    return list(getattr(cell, "cells", [cell]))


def conv_lstm(call: Call) -> int:
    layer = call.layer
    channels = call.input[1 if layer.data_format == "channels_first" else -1]
    taps = window(layer) * (channels + int(layer.filters))
    return _all_steps(call) * (2 * _GATES * taps + _CELLS["LSTMCell"][1])


def conv_lstm_kept(call: Call) -> int:
    return _all_steps(call) * (_GATES + 2)


def _all_steps(call: Call) -> int:
    """Elements of the results of all steps, returned or not."""
    steps = 1 if call.layer.return_sequences else call.input[0]
    return steps * math.prod(call.outputs[0])


def attention(call: Call) -> int:
    """Of scores by products of queries and keys, one head."""
    pairs, width, value = _pairs(call)
    return pairs * (2 * width + 2 * value + SOFTMAX)


def additive_attention(call: Call) -> int:
    """A sum, a hyperbolic tangent, a product and a sum for each feature of a pair."""
    pairs, width, value = _pairs(call)
    return pairs * (4 * width + 2 * value + SOFTMAX)


def attention_kept(call: Call) -> int:
    return 2 * _pairs(call)[0] + call.elements


def _pairs(call: Call) -> tuple[int, int, int]:
    """Queries times keys, and the widths of a query and of a value."""
    query, value = call.inputs[0], call.inputs[1]
    return math.prod(query[:-1]) * value[-2], query[-1], value[-1]


def multi_head(call: Call) -> int:
    projected = sum(math.prod(shape) * width for shape, width in _projections(call))
    key, value = _widths(call.layer)
    return 2 * projected + _scores(call) * (2 * key + 2 * value + SOFTMAX)


def multi_head_kept(call: Call) -> int:
    """What is projected, and the scores before and after their softmax."""
    projected = sum(math.prod(shape[:-1]) * width for shape, width in _projections(call))
    return projected + 2 * _scores(call) + call.elements


def _projections(call: Call) -> Iterator[tuple[Sizes, int]]:
    """What is projected from or to, and how wide that is over all heads."""
    heads, others = _heads(call.layer)
    key_width, value_width = _widths(call.layer)
    query, key, value = _attended(call)
    yield query, heads * key_width
    yield key, others * key_width
    yield value, others * value_width
    yield call.outputs[0], heads * value_width
    if getattr(call.layer, "use_gate", False):
        yield query, heads * value_width


def _attended(call: Call) -> tuple[Sizes, Sizes, Sizes]:
    query, value = call.tensor("query", 0), call.tensor("value", 1)
    assert query is not None
    assert value is not None
    return query, call.tensor("key", 2) or value, value


def _heads(layer: Any) -> tuple[int, int]:
    """Of queries; of keys and values."""
    if hasattr(layer, "num_query_heads"):
        return layer.num_query_heads, layer.num_key_value_heads
    return layer.num_heads, layer.num_heads


def _widths(layer: Any) -> tuple[int, int]:
    """Of one head's keys, and of its values."""
    if hasattr(layer, "head_dim"):
        return layer.head_dim, layer.head_dim
    return layer.key_dim, layer.value_dim


def _scores(call: Call) -> int:
    """Queries times keys of all heads, along the axes that are attended to."""
    query, _, value = _attended(call)
    axes = getattr(call.layer, "attention_axes", None) or range(1, len(query))
    attended = {axis - 1 for axis in axes}
    apart = (size for axis, size in enumerate(query[:-1]) if axis not in attended)
    both = (query[axis] * value[axis] for axis in attended)
    return _heads(call.layer)[0] * math.prod(apart) * math.prod(both)

"""Operations of recurrent and attention layers, and the memory for their backward pass."""

import math
from collections.abc import Iterator
from typing import Any

from modelspec.backend.costs.layer_calls import Call, Sizes

SOFTMAX = 5
"""Operations of a softmax for each element: maximum, difference, exponential, sum, quotient."""

_CELLS = {"LSTMCell": (4, 17), "GRUCell": (3, 17), "SimpleRNNCell": (1, 3)}
"""Weight matrices on each side of a cell; elementwise operations for each unit."""

CELLS = (*_CELLS, "StackedRNNCells")

_GATES = 4


def recurrent(call: Call) -> int:
    return call.input[0] * _step(call.layer.cell, call.input[-1])


def one_step(call: Call) -> int:
    """Return the operations of a cell outside of an RNN layer."""
    return _step(call.layer, call.input[-1])


def _step(cell: Any, width: int) -> int:
    """Return the operations of a cell, or of stacked cells, on ``width`` features."""
    total = 0
    for inner in _cells(cell):
        matrices, others = _CELLS[type(inner).__name__]
        total += inner.units * (2 * matrices * (width + inner.units) + others)
        width = inner.units
    return total


def recurrent_kept(call: Call) -> int:
    """Return the elements of gates, state and output of every step."""
    cells = _cells(call.layer.cell)
    states: int = sum(cell.units * (_CELLS[type(cell).__name__][0] + 2) for cell in cells)
    return call.input[0] * states


def window(layer: Any) -> int:
    """Return the number of positions in a convolution's kernel."""
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
    """Return the number of result elements of all steps, also of steps that are not returned."""
    steps = 1 if call.layer.return_sequences else call.input[0]
    return steps * math.prod(call.outputs[0])


def attention(call: Call) -> int:
    """Return the operations of scores by products of queries and keys, for one head."""
    pairs, width, value = _pairs(call)
    return pairs * (2 * width + 2 * value + SOFTMAX)


def additive_attention(call: Call) -> int:
    """Return the operations of a sum, a tanh, a product and a sum for each feature of a pair."""
    pairs, width, value = _pairs(call)
    return pairs * (4 * width + 2 * value + SOFTMAX)


def attention_kept(call: Call) -> int:
    return 2 * _pairs(call)[0] + call.elements


def _pairs(call: Call) -> tuple[int, int, int]:
    """Return the pairs of queries and keys, and the widths of a query and of a value."""
    query, value = call.inputs[0], call.inputs[1]
    return math.prod(query[:-1]) * value[-2], query[-1], value[-1]


def multi_head(call: Call) -> int:
    projected = sum(math.prod(shape) * width for shape, width in _projections(call))
    key, value = _widths(call.layer)
    return 2 * projected + _scores(call) * (2 * key + 2 * value + SOFTMAX)


def multi_head_kept(call: Call) -> int:
    """Return the elements of the projections, and of the scores before and after their softmax."""
    projected = sum(math.prod(shape[:-1]) * width for shape, width in _projections(call))
    return projected + 2 * _scores(call) + call.elements


def _projections(call: Call) -> Iterator[tuple[Sizes, int]]:
    """Yield the shape of each tensor that is projected, and its width over all heads."""
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
    """Return the number of heads of queries, and of keys and values."""
    if hasattr(layer, "num_query_heads"):
        return layer.num_query_heads, layer.num_key_value_heads
    return layer.num_heads, layer.num_heads


def _widths(layer: Any) -> tuple[int, int]:
    """Return the widths of one head's keys and values."""
    if hasattr(layer, "head_dim"):
        return layer.head_dim, layer.head_dim
    return layer.key_dim, layer.value_dim


def _scores(call: Call) -> int:
    """Return the pairs of queries and keys of all heads, along the attended axes."""
    query, _, value = _attended(call)
    axes = getattr(call.layer, "attention_axes", None) or range(1, len(query))
    attended = {axis - 1 for axis in axes}
    apart = (size for axis, size in enumerate(query[:-1]) if axis not in attended)
    both = (query[axis] * value[axis] for axis in attended)
    return _heads(call.layer)[0] * math.prod(apart) * math.prod(both)

"""The numbers of threads for one operation of a model and for several, derived from its graph."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from modelspec.graph.graph import Graph, Node
from modelspec.language.written import Written

INTRAOP, INTEROP = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
"""The variables that TensorFlow reads when it starts: threads of one operation, and of several."""

_RECURRENT = frozenset({"GRU", "LSTM", "SimpleRNN"})

_BESIDE = frozenset(
    {
        "Activation", "Add", "Average", "Concatenate", "Dropout", "Flatten", "Masking", "Maximum",
        "Minimum", "Multiply", "Subtract",
    }
)  # fmt: skip
"""Layers that take little time beside a recurrent one."""

_TEXT = "TextVectorization"
_POOLED = frozenset({"GlobalAveragePooling1D", "GlobalMaxPooling1D"})
"""Layers after which the steps of texts, whose number is known, are gone."""

_MAX_STATE, _MAX_ROWS = 2**13, 2**16
"""Elements of a batch of states, and of a Dense result or of the steps of texts in a batch.

To divide smaller operations costs more than it saves. Their results are the same to the last bit
with any number of threads, unlike those of larger ones.
"""
_MAX_TABLE = 2**21
"""Elements of an Embedding; the update of a larger one gains from threads."""


def set_threads(graph: Graph, batch_size: int) -> None:
    """Set one thread for each operation of a graph whose steps are many small operations.

    Directions and branches of recurrent models still run in parallel; for other models, starting a
    second operation elsewhere takes longer than the operation. The setting applies to the whole
    process from TensorFlow's start, so it is for a process that trains one model only; a value in
    the environment has priority.
    """
    if not all_small(graph, batch_size):
        return
    os.environ.setdefault(INTRAOP, "1")
    if not any(_unwrapped(node)[0] in _RECURRENT for node in graph.nodes):
        os.environ.setdefault(INTEROP, "1")


def all_small(graph: Graph, batch_size: int) -> bool:
    """Return True where no operation of a model of sequences or texts gains from threads.

    XLA compiles no texts, so that their models consist of many small operations too.
    """
    calls = [_unwrapped(node) for node in graph.nodes]
    recurrent = any(kind in _RECURRENT for kind, _ in calls)
    rows = batch_size * (_steps(calls) or 0)
    return (recurrent or rows > 0) and all(
        _is_small(kind, arguments, batch_size, rows) for kind, arguments in calls
    )


def _steps(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> int | None:
    """Return the largest number of steps of texts; None where one is unknown."""
    lengths = [
        arguments.get("output_sequence_length") for kind, arguments in calls if kind == _TEXT
    ]
    known = [length for length in lengths if isinstance(length, int)]
    return max(known, default=None) if len(known) == len(lengths) else None


def _unwrapped(node: Node) -> tuple[str, Mapping[str, Any]]:
    """Return the type and arguments of a node's layer, or of that inside of Bidirectional."""
    inner = Written.read(node.arguments.get("layer"))
    if node.type != "Bidirectional" or inner is None or inner.is_bare:
        return node.type, node.arguments
    return inner.name, inner.arguments


def _is_small(kind: str, arguments: Mapping[str, Any], batch_size: int, rows: int) -> bool:
    """Return True for a small layer; ``rows`` are a batch's steps of texts, 0 if unknown."""

    def fits(most: int, *names: str) -> bool:
        values = [arguments.get(name) for name in names]
        numbers = [value for value in values if isinstance(value, int)]
        return len(numbers) == len(names) and math.prod(numbers) <= most

    if kind == "Embedding":
        short = not rows or fits(_MAX_ROWS // rows, "output_dim")
        return short and fits(_MAX_TABLE, "input_dim", "output_dim")
    if kind in _RECURRENT:
        return fits(_MAX_STATE // batch_size, "units")
    if kind == _TEXT or kind in _POOLED:
        return rows > 0
    return kind in _BESIDE or (kind == "Dense" and fits(_MAX_ROWS // batch_size, "units"))

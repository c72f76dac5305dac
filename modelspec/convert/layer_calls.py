"""Calls of saved layers: their tensors, constants and number of results."""

from collections.abc import Mapping
from typing import Any

from modelspec.catalog import Entry
from modelspec.convert.drafts import Sources
from modelspec.convert.plain_values import GapError, plain
from modelspec.convert.saved_graph import Ref, SavedGraph, SavedLayer, refs_in

_STRUCTURE = "it is called on tensors in a structure that `from` cannot write"

RECURRENT = {
    "LSTM": 3,
    "ConvLSTM1D": 3,
    "ConvLSTM2D": 3,
    "ConvLSTM3D": 3,
    "GRU": 2,
    "SimpleRNN": 2,
}
"""The number of results of recurrent layers that return their states."""

_CELLS = {"LSTMCell": 2, "GRUCell": 1, "SimpleRNNCell": 1}
_SCORES = {"Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"}


def largest_results(graph: SavedGraph) -> dict[int, int]:
    """Return the largest index that is used of each call's results."""
    used: dict[int, int] = {}
    refs = [ref for call in graph.calls for ref in call.refs()]
    for ref in [*refs, *(ref for _, ref in graph.outputs)]:
        if isinstance(ref.source, int):
            used[ref.source] = max(used.get(ref.source, 0), ref.index)
    return used


def call_arguments(
    entry: Entry, args: list[Any], kwargs: Mapping[str, Any], moved: Any
) -> tuple[Sources, dict[str, Any]]:
    """Return the inputs of a layer, and its constant call arguments."""
    named = dict(zip(entry.call_arguments, args, strict=False))
    if len(args) > len(entry.call_arguments) and len(args) > 1:
        raise GapError("it is called with more arguments than it has")
    tensors: dict[str | None, Any] = {}
    constants: dict[str, Any] = {}
    first = entry.call_arguments[0] if entry.call_arguments else None
    if args and first is None:
        tensors[None] = args[0]
    for name, value in [*named.items(), *kwargs.items()]:
        if value is None:
            continue
        if any(True for _ in refs_in([value])):
            tensors[name] = value
        else:
            constants[name] = plain(value)
    sources: dict[str | None, Ref | tuple[Ref, ...]] = {}
    for key, item in tensors.items():
        sources[key] = tensors_of(item, moved, _STRUCTURE)
    if set(sources) == {first}:
        sources = {None: sources[first]}
    return sources, constants


def tensors_of(value: Any, moved: Any, problem: str) -> Ref | tuple[Ref, ...]:
    """Return a tensor or a list of them, renamed by ``moved``.

    Raises:
        GapError: The value is something else; ``problem`` is the message.
    """
    if isinstance(value, Ref):
        ref: Ref = moved(value)
        return ref
    if isinstance(value, list) and all(isinstance(item, Ref) for item in value):
        return tuple(moved(item) for item in value)
    raise GapError(problem)


def result_count(saved: SavedLayer, constants: Mapping[str, Any]) -> int:
    """Return the number of results of a layer, from its arguments."""
    config = saved.config
    if saved.kind in RECURRENT and config.get("return_state") is True:
        return RECURRENT[saved.kind]
    if saved.kind == "Bidirectional" and isinstance(config.get("layer"), Mapping):
        inner = config["layer"]
        settings = inner.get("config") if isinstance(inner.get("config"), Mapping) else {}
        states = RECURRENT.get(str(inner.get("class_name")), 2) - 1
        merged = 1 if config.get("merge_mode") is not None else 2
        return merged + 2 * states * (settings.get("return_state") is True)
    if saved.kind == "RNN" and config.get("return_state") is True:
        cell = config.get("cell")
        kind = cell.get("class_name") if isinstance(cell, Mapping) else None
        return 1 + _CELLS.get(str(kind), 1)
    if saved.kind in _CELLS or saved.kind == "StackedRNNCells":
        return 2
    if saved.kind in _SCORES and constants.get("return_attention_scores") is True:
        return 2
    return 1

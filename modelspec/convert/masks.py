"""Masks that Keras passes automatically, and a spec does not write.

Keras saves them as arguments of calls, and the operations that compute them as members of the
model.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from modelspec.convert.saved_graph import Ref, SavedCall, SavedGraph, refs_in

_FILLINGS = ("OnesLike", "ZerosLike")


@dataclass(frozen=True, slots=True)
class Masks:
    """Arguments that are left out, by call and name, and calls that compute only masks."""

    arguments: frozenset[tuple[int, str]]
    dropped: frozenset[int]


def automatic_masks(graph: SavedGraph) -> Masks:
    """Return the masks that start at an Embedding with ``mask_zero`` or at a Masking layer."""
    starts = {
        ref
        for call in graph.calls
        if call.layer.kind == "Masking"
        or (call.layer.kind == "Embedding" and call.layer.config.get("mask_zero") is True)
        for ref in refs_in(call.args)
    }
    if not starts:
        return Masks(frozenset(), frozenset())
    computed, fillings = _computed_from(graph, starts)
    arguments = frozenset(
        (call.id, name)
        for call in graph.calls
        if not call.layer.is_operation
        for name, value in call.kwargs.items()
        if name.endswith("mask")
        and (refs := list(refs_in([value])))
        and all(isinstance(ref.source, int) and ref.source in computed for ref in refs)
    )
    return Masks(arguments, _without_use(graph, computed | fillings, arguments))


def _computed_from(graph: SavedGraph, starts: set[Ref]) -> tuple[set[int], set[int]]:
    """Return operations that compute masks, and those that fill in where one part has no mask.

    The first of them compare the input of such a layer; the others take only masks.
    """
    masks: set[int] = set()
    fillings: set[int] = set()
    for call in graph.calls:
        refs = list(call.refs())
        if not call.layer.is_operation or not refs:
            continue
        sources = {ref.source for ref in refs}
        if call.layer.kind in _FILLINGS:
            fillings.add(call.id)
            continue
        begins = call.layer.kind == "NotEqual" and refs[0] in starts
        if begins or (sources & masks and sources <= masks | fillings):
            masks.add(call.id)
    return masks, fillings


def _without_use(
    graph: SavedGraph, computed: set[int], arguments: frozenset[tuple[int, str]]
) -> frozenset[int]:
    """Return those of the operations whose results are used only as masks."""
    needed = {ref.source for _, ref in graph.outputs}
    for call in reversed(graph.calls):
        if call.id in computed and call.id not in needed:
            continue
        needed |= {ref.source for ref in _kept(call, arguments)}
    return frozenset(computed - needed)


def _kept(call: SavedCall, arguments: frozenset[tuple[int, str]]) -> Iterator[Ref]:
    yield from refs_in(call.args)
    for name, value in call.kwargs.items():
        if (call.id, name) not in arguments:
            yield from refs_in([value])

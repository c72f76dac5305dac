"""Ids in the data, checked against the embeddings that look them up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from modelspec.catalog.operation_facts import plain_name
from modelspec.checks.rows import find_row, first_outside
from modelspec.data.arrays import Values, row_blocks
from modelspec.data.concatenated import Array, Column
from modelspec.graph.graph import Graph, ModelFacts, Node, Source
from modelspec.language.slices import Key, SliceError, read_slices
from modelspec.problems.diagnostic import Diagnostic, Severity

_BLOCK = 1 << 20
_SAME_VALUES = {"cast", "reshape", "squeeze", "expand_dims", "ravel", "stop_gradient"}
"""Operations that keep the ids in a tensor unchanged."""


SIZES = {"Embedding": "input_dim", "CategoryEncoding": "num_tokens"}
"""The layers that take ids, and the argument with the number of ids."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A layer that takes ids of an input: those that the slices ``keys`` select."""

    embedding: Node
    keys: tuple[tuple[Key, ...], ...] = ()


def feeds(graph: Graph, name: str) -> list[Feed]:
    """Return the layers of ids that an input feeds, directly or by slices of it, each once."""
    owners = {node.name: node for node in graph.nodes}
    by_embedding = {
        (feed.embedding.name, repr(feed.keys)): feed for feed in _followed(graph, owners, name, ())
    }
    return list(by_embedding.values())


def _followed(
    graph: Graph, owners: dict[str, Node], name: str, keys: tuple[tuple[Key, ...], ...]
) -> Iterator[Feed]:
    for node in graph.nodes:
        if not any(source.name == name for source in node.sources()):
            continue
        owner = owners.get(node.layer, node)
        if owner.type in SIZES:
            yield Feed(owner, keys)
        elif plain_name(owner.type) in _SAME_VALUES and owner.type.startswith("ops."):
            yield from _followed(graph, owners, node.name, keys)
        elif owner.type == "ops.get_item" and (key := _key_of(owner)):
            yield from _followed(graph, owners, node.name, (*keys, key))
        elif owner.type in graph.models:
            size = _looked_up(node, graph.models[owner.type], name)
            if size is not None:
                yield Feed(replace(owner, arguments={"input_dim": size}), keys)


def _looked_up(node: Node, model: ModelFacts, name: str) -> int | None:
    """Return the size of the Embedding in a model that looks up ``name``; None if there is none."""
    first = node.inputs.get(None)
    tensors = first if isinstance(first, tuple) else (first,)
    named = dict(zip(model.inputs, tensors, strict=False)) | dict(node.inputs)
    sizes = [
        size
        for key, size in model.ids.items()
        if isinstance(source := named.get(key), Source) and source.name == name
    ]
    return min(sizes, default=None)


def _key_of(node: Node) -> tuple[Key, ...] | None:
    """Return the slice of a node that keeps every sample; None for other nodes."""
    try:
        key = read_slices(node.arguments.get("key"))
    except SliceError:
        return None
    return key if key[0] in (slice(None), ...) else None


def check_ids(feed: Feed, name: str, array: Column, values: Values) -> Diagnostic | None:
    """Return the problem of ids in the array ``name`` that a layer does not have.

    Without this check, an Embedding fails or returns zeros, and a CategoryEncoding drops the ids.
    """
    argument = SIZES.get(feed.embedding.type, "input_dim")
    size = feed.embedding.arguments.get(argument)
    if type(size) is not int:
        return None
    low, high = _bounds(feed.keys, array, values)
    if low is None or high is None or 0 <= low <= high < size:
        return None
    if feed.keys:
        row = find_row(array, lambda rows: _outside(rows, feed.keys, size))
    else:
        row = first_outside(array, 0, size - 1)
    ids = f"ids up to {high:.0f}" if low >= 0 else f"ids from {low:.0f} to {high:.0f}"
    kind = feed.embedding.type
    part = "" if not feed.keys else " in the slice that it looks up"
    message = (
        f"array {name} holds {ids}{part}, first in {row}, "
        f"but {kind} ({argument} {size}) has ids 0..{size - 1}"
    )
    route = (*feed.embedding.route, kind, argument)
    hint = _hint(low, high, argument, feed.embedding.arguments.get("output_dim"))
    severity: Severity = "error" if kind != "CategoryEncoding" else "warning"
    return Diagnostic("id-out-of-range", message, route, severity=severity, hint=hint)


def _bounds(
    keys: Sequence[tuple[Key, ...]], array: Column, values: Values
) -> tuple[float | None, float | None]:
    if not keys:
        return values.low, values.high
    low: float | None = None
    high: float | None = None
    for rows in row_blocks(array, _BLOCK):
        part = _taken(rows, keys)
        if part is None or not part.size:
            return None, None
        least, most = float(part.min()), float(part.max())
        low = least if low is None else min(low, least)
        high = most if high is None else max(high, most)
    return low, high


def _taken(rows: Array, keys: Sequence[tuple[Key, ...]]) -> Array | None:
    """Return the part of rows that slices select; None where they do not fit the shape."""
    for key in keys:
        try:
            rows = rows[key]
        except IndexError:
            return None
    return rows


def _outside(rows: Array, keys: Sequence[tuple[Key, ...]], size: int) -> Array:
    part = _taken(rows, keys)
    assert part is not None
    outside: Array = (part < 0) | (part > size - 1)
    return outside


def _hint(low: float, high: float, argument: str, output_dim: object) -> str:
    if low < 0:
        return "ids start at 0; keep 0 for padding"
    if type(output_dim) is int and high < output_dim:
        return f"input_dim and output_dim look swapped: output_dim is {output_dim}"
    return f"{argument} must be at least {high + 1:.0f}"

"""The layers and operations that take ids of an input, and how many ids each has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from modelspec.catalog.operation_facts import plain_name
from modelspec.graph.graph import Graph, ModelFacts, Node, Source
from modelspec.language.slices import Key, SliceError, read_slices

_SAME_VALUES = {"cast", "reshape", "squeeze", "expand_dims", "ravel", "stop_gradient"}
"""Operations that keep the ids in a tensor unchanged."""

SIZES: Final = {
    "Embedding": "input_dim",
    "CategoryEncoding": "num_tokens",
    "ops.one_hot": "num_classes",
    "ops.multi_hot": "num_classes",
}
"""The layers and operations that take ids, and the argument with the number of ids."""

DROPPING = frozenset({"CategoryEncoding", "ops.one_hot", "ops.multi_hot"})
"""Those that drop ids which they do not have; the others fail, or read zeros."""

_TAKES = frozenset({"ops.take", "ops.take_along_axis"})
"""Operations that take ids along an axis of a tensor; negative ids count from its end."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A call that takes ids of an input, those that the slices ``keys`` select: ``size`` ids.

    ``argument`` is the one with the size, or the tensor that the ids are of. ``negative`` says that
    ids from ``-size`` have a meaning.
    """

    node: Node
    argument: str
    size: int
    keys: tuple[tuple[Key, ...], ...] = ()
    negative: bool = False


def feeds(graph: Graph, name: str) -> list[Feed]:
    """Return the calls that take ids of an input, directly or by slices of it, each once."""
    owners = {node.name: node for node in graph.nodes}
    by_node = {
        (feed.node.name, repr(feed.keys)): feed for feed in _followed(graph, owners, name, ())
    }
    return list(by_node.values())


def _followed(
    graph: Graph, owners: dict[str, Node], name: str, keys: tuple[tuple[Key, ...], ...]
) -> Iterator[Feed]:
    for node in graph.nodes:
        if not any(source.name == name for source in node.sources()):
            continue
        owner = owners.get(node.layer, node)
        if feed := _feed(graph, node, owner, name, keys):
            yield feed
        elif plain_name(owner.type) in _SAME_VALUES and owner.type.startswith("ops."):
            yield from _followed(graph, owners, node.name, keys)
        elif owner.type == "ops.get_item" and (key := _key_of(owner)):
            yield from _followed(graph, owners, node.name, (*keys, key))


def _feed(
    graph: Graph, node: Node, owner: Node, name: str, keys: tuple[tuple[Key, ...], ...]
) -> Feed | None:
    """Return how a call takes the ids ``name``; None if it takes none, or any number of ids."""
    argument, negative = SIZES.get(owner.type, "input_dim"), False
    size: object = None
    if owner.type in SIZES:
        size = owner.arguments.get(argument)
    elif owner.type in _TAKES:
        argument, negative, size = "x", True, _length(graph, owner, name)
    elif owner.type in graph.models:
        size = _looked_up(node, graph.models[owner.type], name)
    return Feed(owner, argument, size, keys, negative) if type(size) is int else None


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


def _length(graph: Graph, node: Node, name: str) -> int | None:
    """Return the length of the axis along which an operation takes the ids ``name``, if known.

    The tensor is a constant or an input; the batch is no axis of ids.
    """
    tensors = _bound(node)
    ids = tensors.get("indices")
    if not isinstance(ids, Source) or ids.name != name:
        return None
    axis = node.arguments.get("axis")
    source = tensors.get("x")
    if isinstance(source, Source):
        declared = graph.inputs.get(source.name)
        shape = (None, *declared.shape) if declared else ()
    else:
        shape = _shape(node.arguments.get("x"))
        if axis is None:
            return prod(shape) if shape else None
    if type(axis) is not int or not -len(shape) <= axis < len(shape):
        return None
    return shape[axis]


def _shape(values: object) -> tuple[int, ...]:
    """Return the shape of nested lists of equal lengths."""
    if not isinstance(values, list):
        return ()
    return (len(values), *_shape(values[0])) if values else (0,)


def _bound(node: Node) -> Mapping[str, Any]:
    """Return the tensors ``x`` and ``indices`` of a call by name, where they are in order too."""
    named = {key: value for key, value in node.inputs.items() if key is not None}
    first = node.inputs.get(None)
    free = [key for key in ("x", "indices") if key not in named and key not in node.arguments]
    in_order = first if isinstance(first, tuple) else (first,)
    return named | dict(zip(free, in_order, strict=False))


def _key_of(node: Node) -> tuple[Key, ...] | None:
    """Return the slice of a node that keeps every sample; None for other nodes."""
    try:
        key = read_slices(node.arguments.get("key"))
    except SliceError:
        return None
    return key if key[0] in (slice(None), ...) else None

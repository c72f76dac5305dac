"""Outputs with another number of rows than the batch, which Keras cannot see on unknown sizes."""

from collections.abc import Callable, Iterator, Sequence
from math import prod

import keras

from modelspec.backend.model.assembled import Assembly, Shape
from modelspec.catalog.operation_facts import plain_name
from modelspec.graph.graph import Graph, Node
from modelspec.graph.operations import is_operation
from modelspec.language.slices import SliceError, read_slices
from modelspec.problems.diagnostic import Diagnostic

_MOVE = frozenset({"broadcast_to", "pad", "ravel", "slice", "vstack"})
_ALONG = {"concatenate": -1, "repeat": None, "split": 0, "stack": 0, "take": None}
"""Operations along an axis, with the default of Keras."""

_BATCH = 83
"""A prime, which rarely is the length of another axis too."""


def check_rows(
    graph: Graph, assembly: Assembly, assembled: Callable[[int], Assembly]
) -> Iterator[Diagnostic]:
    """Report outputs whose rows are not those of the batch, and the first call that moved rows.

    Where the outputs are right, warn of calls that join all samples in one result.

    ``assembled`` makes all calls for a batch of a size, on symbols. It is only called for graphs
    with operations that may move rows.
    """
    nodes = [node for node in graph.nodes if is_operation(node)]
    if not any(_may_move(node, assembly) or _may_join(node, assembly) for node in nodes):
        return
    fixed = assembled(_BATCH)
    lost = list(_lost(graph, nodes, fixed))
    yield from lost or _joined(graph, nodes, fixed)


def _lost(graph: Graph, nodes: Sequence[Node], fixed: Assembly) -> Iterator[Diagnostic]:
    """Report outputs without a row for each sample."""
    for name, source in graph.outputs.items():
        shape = fixed.shape(source)
        if shape is None or shape[:1] == (_BATCH,):
            continue
        moved = (
            node
            for node in nodes
            if node.name in fixed.values and _rows(fixed, node.name) not in (None, _BATCH)
        )
        cause = next(moved, None)
        route = cause.route if cause else source.route
        by = f": {cause.name} ({cause.type}) changes axis 0" if cause else ""
        message = f"output {name} has {shape[0]} rows for a batch of {_BATCH}{by}"
        hint = 'axis 0 is the batch: the axes of a sample begin with 1, as in axis: 1 or "[:, 0:2]"'
        yield Diagnostic("lost-batch", message, route, "key", hint=hint)


def _joined(graph: Graph, nodes: Sequence[Node], fixed: Assembly) -> Iterator[Diagnostic]:
    """Warn of calls that make one result of all samples, which then depend on each other."""
    used = graph.used()
    for node in nodes:
        before = [fixed.shape(source) for source in node.sources()]
        after = keras.tree.flatten(fixed.values.get(node.name, ()))
        has_batch = any(shape and _of_all_samples(shape) for shape in before)
        if node.name in used and has_batch and not any(_of_all_samples(t.shape) for t in after):
            message = f"{node.name} ({node.type}) joins the samples of a batch in one result"
            hint = "axis 0 is the batch: what is computed from it depends on the other samples"
            yield Diagnostic("lost-batch", message, node.route, "key", "warning", hint=hint)


def _of_all_samples(shape: Shape) -> bool:
    return prod(size or 1 for size in shape) % _BATCH == 0


def _may_join(node: Node, assembly: Assembly) -> bool:
    """Return True where the result of a call has another first axis than the batch."""
    tensors = keras.tree.flatten(assembly.values.get(node.name, ()))
    return any(not tensor.shape or tensor.shape[0] is not None for tensor in tensors)


def _may_move(node: Node, assembly: Assembly) -> bool:
    """Return True where a call may return another number of rows than the batch has."""
    name, arguments = plain_name(node.type), node.arguments
    if name in _ALONG:
        return arguments.get("axis", _ALONG[name]) in (0, None)
    if name == "tile":
        repeats = arguments.get("repeats")
        return not isinstance(repeats, list) or repeats[:1] != [1]
    if name == "get_item":
        try:
            return read_slices(arguments.get("key"))[:1] not in ((slice(None),), (...,))
        except SliceError:
            return False
    if name == "reshape":
        before = [assembly.shape(source) for source in node.sources()]
        after = getattr(assembly.values[node.name], "shape", ())
        return not before or _size(before[0]) is None or _size(before[0]) != _size(tuple(after))
    return name in _MOVE


def _size(shape: Shape | None) -> int | None:
    """Return the number of values of a sample; None where a length is unknown."""
    lengths = (shape or ())[1:]
    known = [length for length in lengths if length is not None]
    return prod(known) if len(known) == len(lengths) else None


def _rows(assembly: Assembly, name: str) -> int | None:
    shape = getattr(assembly.values[name], "shape", None)
    return shape[0] if shape else None

"""Checks of operations: their tensors, constants and slices, and the keys beside them."""

from collections.abc import Iterator

from modelspec.catalog import Entry
from modelspec.checks.constants import check_constants
from modelspec.graph.graph import Node
from modelspec.graph.operations import SLICED, bind_tensors
from modelspec.language.slices import SliceError, read_slices
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic


def check_operation(node: Node, entry: Entry) -> Iterator[Diagnostic]:
    """Yield the problems of an operation's call, except those of its arguments' names and types."""
    if node.call:
        message = f"{node.type} has no call arguments: write them inside it, as its arguments"
        yield Diagnostic("not-for-operations", message, (*node.route, "call"), "key")
    if node.instead is not None:
        return
    yield from bind_tensors(node, entry)[1]
    yield from check_constants(node)
    argument = SLICED.get(entry.name)
    if argument is not None and node.arguments.get(argument, UNKNOWN) is not UNKNOWN:
        try:
            read_slices(node.arguments[argument])
        except SliceError as error:
            message = f"{argument} of {entry.name}: {error}"
            hint = f'{argument}: "[:, -1]" takes the last step of each sample'
            yield Diagnostic("wrong-value", message, (*node.route, node.type, argument), hint=hint)

"""Calls of operations: the tensor of each argument."""

from collections.abc import Mapping

from modelspec.catalog import Entry
from modelspec.catalog.entries import item_family
from modelspec.graph.graph import Node, Source
from modelspec.problems.diagnostic import Diagnostic, Route

SLICED = {"ops.get_item": "key"}
"""Operations with an argument that is a slice, written as text."""

Tensors = Mapping[str, Source | tuple[Source, ...]]


def is_operation(node: Node) -> bool:
    return item_family(node.type) == "operation"


def has_tensor_constant(node: Node, entry: Entry) -> bool:
    """Return True where an operation has a constant in the place of a tensor."""
    return is_operation(node) and any(name in node.arguments for name in entry.call_arguments)


def bind_tensors(node: Node, entry: Entry) -> tuple[Tensors, list[Diagnostic]]:
    """Return the tensors of a call by the names of the operation's arguments.

    Tensors without a name take the arguments that have no constant, in their order. Names that the
    operation does not have are left out, because another check reports them.
    """
    if not node.inputs:  # a name that could not be resolved, which was reported
        return {}, []
    known = entry.call_arguments
    tensors = {name: value for name, value in node.inputs.items() if name in known and name}
    problems = [
        Diagnostic(
            "operation-inputs",
            f"{name} of {entry.name} has both a tensor and a constant",
            (*node.route, node.type, name),
            "key",
            hint="leave out one of them",
        )
        for name in tensors
        if name in node.arguments
    ]
    free = [name for name in known if name not in node.arguments and name not in tensors]
    if None in node.inputs:
        placed, problem = _place(node.inputs[None], free, entry, (*node.route, "from"))
        tensors |= placed
        problems += [problem] if problem else []
    misspelt = any(name is not None and name not in known for name in node.inputs)
    if not problems and not misspelt:
        problems += _missing(node, entry, tensors)
    return tensors, problems


def _place(
    connected: Source | tuple[Source, ...], free: list[str], entry: Entry, route: Route
) -> tuple[Tensors, Diagnostic | None]:
    sources = connected if isinstance(connected, tuple) else (connected,)
    name = entry.name
    if entry.several:
        if len(entry.call_arguments) == 1 and free:
            return {free[0]: connected}, None
        listed = ", ".join(f"{argument}: …" for argument in entry.call_arguments)
        message = f"{name} takes lists of tensors, which need the names of their arguments"
        return {}, Diagnostic("operation-inputs", message, route, hint=f"from: {{{listed}}}")
    if len(sources) > len(free):
        taken = f"{', '.join(free)}" if free else "none, since all of them are constants"
        message = f"from has {len(sources)} tensors, but {name} takes {len(free)}: {taken}"
        hint = None if len(sources) > 1 else "leave out one of the constants"
        return {}, Diagnostic("operation-inputs", message, route, hint=hint)
    return dict(zip(free, sources, strict=False)), None


def _missing(node: Node, entry: Entry, tensors: Tensors) -> list[Diagnostic]:
    """Report arguments without a default and without a tensor."""
    route = (*node.route, node.type)
    return [
        Diagnostic(
            "missing-argument",
            f"{entry.name} needs {name}",
            route,
            "key",
            hint=f"name its tensor in from, or write a constant: {{{name}: 1.0}}",
        )
        for name in entry.call_arguments
        if name not in tensors and name not in node.arguments and entry.is_needed(name)
    ]

"""Parameters and inputs of blocks."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from reprlib import repr as short
from typing import Any

from modelspec.graph.budget import Budget
from modelspec.graph.graph import Sources
from modelspec.graph.items import Value
from modelspec.language.spec import BlockSpec
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Related, Route, did_you_mean

MAX_DEPTH = 32


def check_nesting(blocks: Mapping[str, BlockSpec]) -> list[Diagnostic]:
    """Report a block that contains itself, directly or through others, or is nested too deeply."""
    uses = {
        name: {item.type for item in block.layers if item.type in blocks}
        for name, block in blocks.items()
    }
    try:
        order = tuple(TopologicalSorter(uses).static_order())
    except CycleError as error:
        ring: list[str] = error.args[1][::-1]
        message = "a block cannot contain itself: " + " → ".join(ring)
        related = tuple(
            Related(f"{name} is part of the cycle", ("blocks", name)) for name in ring[1:-1]
        )
        return [Diagnostic("cycle", message, ("blocks", ring[0]), "key", related=related)]
    return _too_deep(uses, order)


def _too_deep(uses: Mapping[str, set[str]], order: Iterable[str]) -> list[Diagnostic]:
    depths: dict[str, int] = {}
    for name in order:
        depths[name] = 1 + max((depths[inner] for inner in uses[name]), default=0)
        if depths[name] > MAX_DEPTH:
            message = f"blocks are nested more than {MAX_DEPTH} deep"
            return [Diagnostic("too-deep", message, ("blocks", name), "key")]
    return []


def check_parameters(name: str, block: BlockSpec, arguments: Any, route: Route) -> list[Diagnostic]:
    """Compare the parameters that an item passes to a block with those that the block declares."""
    if arguments is UNKNOWN:
        return []
    if arguments is not None and not isinstance(arguments, dict):
        message = f"the parameters of {name} are a mapping, not {short(arguments)}"
        return [Diagnostic("wrong-type", message, route)]
    passed = arguments or {}
    problems = [
        Diagnostic(
            "unknown-argument",
            f"block {name} has no parameter {key}",
            (*route, key),
            "key",
            hint=did_you_mean(str(key), block.params),
        )
        for key in passed
        if key not in block.params
    ]
    for key, default in block.params.items():
        if default is None and key not in passed:
            related = (Related(f"{key} has no default", ("blocks", name, "params", key)),)
            message = f"block {name} needs {key}"
            problems.append(Diagnostic("missing-argument", message, route, "key", related=related))
    return problems


def bind_parameters(
    name: str,
    block: BlockSpec,
    arguments: Any,
    scope: Mapping[str, Any],
    *,
    budget: Budget,
    within: tuple[Route, ...],
) -> dict[str, Any]:
    """Return the values of a block's parameters; a default can use the parameters above it."""
    passed = arguments if isinstance(arguments, dict) else {}
    bound = dict(scope)
    for key, default in block.params.items():
        if key in passed:
            bound[key] = passed[key]
        elif default is None or arguments is UNKNOWN:
            bound[key] = UNKNOWN
        else:
            route = ("blocks", name, "params", key)
            bound[key] = budget.fill(default, bound, route, within)
    return bound


def bind_inputs(
    name: str, block: BlockSpec, sources: Sources | None, route: Route
) -> tuple[dict[str, Value], list[Diagnostic]]:
    """Return the values of a block's inputs, passed in order or by name."""
    unbound: dict[str, Value] = dict.fromkeys(block.inputs)
    if sources is None:
        return unbound, []
    if None in sources:
        first = sources[None]
        values = first if isinstance(first, tuple) else (first,)
        passed: dict[str | None, Value] = dict(zip(block.inputs, values, strict=False))
        right = len(values) == len(block.inputs)
    else:
        passed = dict(sources)
        right = passed.keys() == unbound.keys()
    problems = []
    if not right:
        message = f"block {name} is called on its inputs: {', '.join(block.inputs)}"
        problems.append(Diagnostic("block-inputs", message, route))
    return {key: passed.get(key) for key in block.inputs}, problems

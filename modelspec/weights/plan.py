"""The source of the weights of each layer, determined by names, shapes and types alone."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from modelspec.language.patterns import matching
from modelspec.language.spec import StartingWeights
from modelspec.problems.diagnostic import Diagnostic, Related, Route
from modelspec.results.weights import LayerStart, Layout, State, Weight
from modelspec.weights.fitting import cast_of, difference_of
from modelspec.weights.names import listed, their_names, unmatched_skips
from modelspec.weights.places import Place, find_places
from modelspec.weights.slots import stored_by_slot
from modelspec.weights.stored import Headers

_FROM: Route = ("weights", "from")


@dataclass
class Plan:
    """The plan of a start. ``loads`` has our layers and theirs, by name; ``layout`` is ours."""

    layers: list[LayerStart] = field(default_factory=list)
    loads: dict[str, str] = field(default_factory=dict)
    arrays: list[Place] = field(default_factory=list)
    unused: tuple[str, ...] = ()
    problems: list[Diagnostic] = field(default_factory=list)
    layout: Layout = field(default_factory=dict)


def make_plan(
    layout: Layout,
    headers: Headers | None,
    weights: StartingWeights,
    routes: Mapping[str, Route],
    *,
    chosen: Collection[str] = (),
    blocks: Mapping[str, Route] | None = None,
) -> Plan:
    """Match the weights of a file to a model's layers.

    Args:
        layout: The weights of the model.
        headers: The headers of the file, None without a file.
        weights: The section of the spec.
        routes: The place of each layer in the spec.
        chosen: Layers whose new weights the spec chooses, for example by an initializer.
        blocks: The route of the item that uses the block of a layer, by layer.
    """
    plan = Plan(layout=layout)
    plan.arrays, problems = find_places(weights, layout)
    plan.problems += problems
    skipped = set(chain.from_iterable(matching(pattern, layout) for pattern in weights.skip))
    plan.problems += unmatched_skips(weights, layout, headers or ())
    theirs: dict[str, str] = {}
    if headers is not None:
        theirs, problems = their_names(headers, weights, layout)
        plan.problems += problems
    arrays = {name: [p for p in plan.arrays if p.layer == name] for name in layout}
    for name, ours in layout.items():
        start = _start(name, ours, theirs.get(name), headers, skipped=name in skipped)
        _enter(plan, start, arrays[name], routes.get(name, ()))
    plan.problems += _frozen(plan, chosen, routes, blocks or {})
    if headers is not None:
        plan.unused = tuple(_unused(headers, set(plan.loads.values())))
        plan.problems += _loads_nothing(plan, headers, skipped)
    return plan


def _enter(plan: Plan, start: LayerStart, arrays: Sequence[Place], route: Route) -> None:
    """Add the start of a layer to the plan, with the weights to load for it."""
    theirs = start.theirs
    if arrays:
        start = _with_arrays(start, arrays)
    plan.layers.append(start)
    if theirs is not None and (start.state == "loaded" or (arrays and start.theirs)):
        plan.loads[start.layer] = theirs
    elif start.state == "shape differs":
        plan.problems.append(_differs(start, route))


def _unused(headers: Headers, taken: Collection[str]) -> Iterator[str]:
    """Yield the layers of a file that no layer starts from."""
    for name, slots in headers.items():
        if slots and name not in taken and not _is_taken_inside(name, taken):
            yield name


def _is_taken_inside(name: str, taken: Collection[str]) -> bool:
    """Return True where layers of a nested model are used, or a layer with its whole model."""
    return name.partition(".")[0] in taken or any(one.startswith(f"{name}.") for one in taken)


def _start(
    name: str, ours: Sequence[Weight], theirs: str | None, headers: Headers | None, *, skipped: bool
) -> LayerStart:
    def start(state: State, note: str = "") -> LayerStart:
        return LayerStart(name, None, state, theirs, note)

    if skipped:
        return start("skipped")
    if theirs is None or headers is None:
        return start("fresh")
    stored = stored_by_slot(ours, headers[theirs], theirs)
    if difference := difference_of(ours, stored):
        return start("shape differs", difference)
    return start("loaded", cast_of(ours, stored))


def _with_arrays(start: LayerStart, places: Sequence[Place]) -> LayerStart:
    names = ", ".join(place.weight.name for place in places)
    rest = f"; the rest {start.state}" if start.state != "fresh" else ""
    theirs = start.theirs if start.state == "loaded" else None
    return LayerStart(start.layer, None, "array", theirs, f"{names}{rest}")


def _differs(start: LayerStart, route: Route) -> Diagnostic:
    theirs = "" if start.theirs == start.layer else f" ({start.theirs} there)"
    message = f"{start.layer}{theirs} cannot start from the file: {start.note}"
    hint = f"weights: {{skip: [{start.layer}]}} gives it new random weights"
    related = (Related("the weights come from here", _FROM, "value"),)
    return Diagnostic("weights-mismatch", message, route, "key", hint=hint, related=related)


def _frozen(
    plan: Plan, chosen: Collection[str], routes: Mapping[str, Route], blocks: Mapping[str, Route]
) -> Iterator[Diagnostic]:
    """Yield one warning for each block with frozen random layers, and one for all other layers."""
    by_block: dict[Route | None, list[str]] = {}
    for start in plan.layers:
        frozen = any(weight.frozen for weight in plan.layout[start.layer])
        if frozen and start.state in ("fresh", "skipped") and start.layer not in chosen:
            by_block.setdefault(blocks.get(start.layer), []).append(start.layer)
    for block, names in by_block.items():
        route = routes.get(names[0], ()) if block is None else block
        if len(names) == 1:
            message = f"{names[0]} is frozen and has no trained weights: it stays random"
        else:
            message = (
                f"{len(names)} layers are frozen and have no trained weights, so they stay random: "
                f"{listed(names)}"
            )
        hint = (
            "weights: {from: PATH}, or the option --weights PATH, gives trained weights; "
            "or leave out trainable: false"
        )
        yield Diagnostic("frozen-fresh", message, route, "key", "warning", hint=hint)


def _loads_nothing(plan: Plan, headers: Headers, skipped: Collection[str]) -> Iterator[Diagnostic]:
    """Yield an error if no layer starts from the file, and no other error is the reason."""
    common = [start for start in plan.layers if start.theirs]
    if not common and not skipped:
        yield _nothing(headers, plan.layout)
    elif any(problem.severity == "error" for problem in plan.problems):
        return
    elif common and all(start.state == "skipped" for start in common):
        yield _all_skipped([start.layer for start in common])


def _nothing(headers: Headers, layout: Layout) -> Diagnostic:
    theirs = [name for name, slots in headers.items() if slots]
    message = (
        f"no layer of the file has the name of a layer here: the file has {listed(theirs)}, "
        f"and the spec has {listed(layout)}"
    )
    hint = "weights: {rename: {THEIRS: OURS}} matches them"
    return Diagnostic("no-common-layer", message, _FROM, hint=hint)


def _all_skipped(names: Sequence[str]) -> Diagnostic:
    message = f"skip leaves nothing to load: the file has weights only for {listed(names)}"
    hint = "remove layers from skip, or leave out weights"
    return Diagnostic("no-common-layer", message, ("weights", "skip"), "key", hint=hint)

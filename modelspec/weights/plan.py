"""What each layer of a model starts from, judged by names, shapes and types alone."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from modelspec.language.patterns import matching, renamed
from modelspec.language.spec import StartingWeights
from modelspec.problems.diagnostic import Diagnostic, Related, Route, did_you_mean
from modelspec.results.weights import LayerStart, Layout, State, Weight
from modelspec.weights.files import Headers, Stored

_FROM: Route = ("weights", "from")
_LISTED = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array for one weight goes: ``key`` is its key in ``weights.layers``."""

    layer: str
    weight: Weight
    key: str


@dataclass
class Plan:
    """What layers start from. ``loads`` has our layers and theirs, by name."""

    layers: list[LayerStart] = field(default_factory=list)
    loads: dict[str, str] = field(default_factory=dict)
    arrays: list[Place] = field(default_factory=list)
    unused: tuple[str, ...] = ()
    problems: list[Diagnostic] = field(default_factory=list)


def make_plan(
    layout: Layout,
    headers: Headers | None,
    weights: StartingWeights,
    routes: Mapping[str, Route],
    chosen: Collection[str] = (),
) -> Plan:
    """Match the weights of a file to a model's layers.

    Args:
        layout: The weights of the model.
        headers: Those of the file, None without one.
        weights: The section of the spec.
        routes: The place of each layer in the spec.
        chosen: Layers whose fresh weights the spec chooses, by an initializer for example.
    """
    plan = Plan()
    plan.arrays, problems = _places(weights, layout)
    plan.problems += problems
    skipped = set(chain.from_iterable(matching(pattern, layout) for pattern in weights.skip))
    plan.problems += _unmatched_skips(weights, layout)
    theirs: dict[str, str] = {}
    if headers is not None:
        theirs, problems = _their_names(headers, weights, layout)
        plan.problems += problems
    arrays = {name: [p for p in plan.arrays if p.layer == name] for name in layout}
    for name, ours in layout.items():
        start = _start(name, ours, theirs.get(name), headers, skipped=name in skipped)
        if arrays[name]:
            start = _with_arrays(start, arrays[name])
        plan.layers.append(start)
        if start.state == "loaded" or (arrays[name] and start.theirs):
            plan.loads[name] = theirs[name]
        elif start.state == "shape differs":
            plan.problems.append(_differs(start, routes.get(name, ())))
        if start.state in ("fresh", "skipped") and name not in chosen:
            plan.problems += _frozen(name, ours, routes.get(name, ()))
    if headers is not None:
        taken = set(plan.loads.values())
        plan.unused = tuple(
            name
            for name, slots in headers.items()
            if slots and name not in taken and not _is_taken_inside(name, taken)
        )
        if not any(start.theirs for start in plan.layers) and not skipped:
            plan.problems.append(_nothing(headers, layout))
    return plan


def _is_taken_inside(name: str, taken: Collection[str]) -> bool:
    """Whether a nested model's layers are taken one by one, or a layer with its whole model."""
    return name.partition(".")[0] in taken or any(one.startswith(f"{name}.") for one in taken)


def _their_names(
    headers: Headers, weights: StartingWeights, layout: Layout
) -> tuple[dict[str, str], list[Diagnostic]]:
    """Our names, each with the layer of theirs that stands for it."""
    problems: list[Diagnostic] = []
    stored = {name for name, slots in headers.items() if slots}
    moved: dict[str, str] = {}
    theirs: dict[str, str] = {}
    for pattern, replacement in weights.rename.items():
        our_names = {name: renamed(name, pattern, replacement) or name for name in stored}
        our_names = {name: our_names[name] for name in matching(pattern, sorted(stored))}
        moved |= our_names
        problems += _unmatched_rename(pattern, our_names, stored, layout)
    for name, ours in moved.items():
        if ours in theirs:
            message = f"{theirs[ours]} and {name} of the file both become {ours}"
            problems.append(Diagnostic("duplicate-name", message, ("weights", "rename"), "key"))
        theirs.setdefault(ours, name)
    # A layer that is renamed takes the place of one that has the name by itself.
    for name in stored - moved.keys():
        theirs.setdefault(name, name)
    return theirs, problems


def _unmatched_rename(
    pattern: str, our_names: Mapping[str, str], stored: Iterable[str], layout: Layout
) -> Iterator[Diagnostic]:
    route: Route = ("weights", "rename", pattern)
    if not our_names:
        message = f"no layer of the file is named {pattern}"
        hint = did_you_mean(pattern, stored) or f"it has {_listed(sorted(stored))}"
        yield Diagnostic("unmatched-pattern", message, route, "key", hint=hint)
    elif not any(ours in layout for ours in our_names.values()):
        ours = next(iter(our_names.values()))
        message = f"this spec has no layer with weights named {ours}"
        hint = did_you_mean(ours, layout) or f"the layers are {_listed(layout)}"
        yield Diagnostic("unmatched-pattern", message, route, hint=hint)


def _unmatched_skips(weights: StartingWeights, layout: Layout) -> Iterator[Diagnostic]:
    for index, pattern in enumerate(weights.skip):
        if not matching(pattern, layout):
            message = f"no layer with weights is named {pattern}"
            hint = did_you_mean(pattern, layout) or f"the layers are {_listed(layout)}"
            route = ("weights", "skip", index)
            yield Diagnostic("unmatched-pattern", message, route, hint=hint)


def _start(
    name: str, ours: Sequence[Weight], theirs: str | None, headers: Headers | None, *, skipped: bool
) -> LayerStart:
    def start(state: State, note: str = "") -> LayerStart:
        return LayerStart(name, None, state, theirs, note)

    if skipped:
        return start("skipped")
    if theirs is None or headers is None:
        return start("fresh")
    stored = headers[theirs]
    if difference := _difference(ours, stored):
        return start("shape differs", difference)
    return start("loaded", _cast(ours, stored))


def _difference(ours: Sequence[Weight], theirs: Mapping[str, Stored]) -> str:
    """How the weights of two layers differ; empty where they fit."""
    known = {weight.slot for weight in ours}
    stored = {
        slot: weight for slot, weight in theirs.items() if slot in known or not _is_seed(weight)
    }
    if stored.keys() != known:
        if any(weight.dtype == "int8" for weight in stored.values()):
            return "its weights are quantized (int8): save the model before it is quantized"
        shapes = (
            ", ".join(str(list(weight.shape)) for weight in weights)
            for weights in (stored.values(), ours)
        )
        return "its weights are {}, and here {}".format(*shapes)
    for weight in ours:
        other = stored[weight.slot]
        if other.shape != weight.shape:
            shapes_of_one = f"{list(other.shape)}, and here {list(weight.shape)}"
            return f"its {weight.name} is {shapes_of_one}"
        if (other.dtype == "int8") != (weight.dtype == "int8"):
            return f"its {weight.name} is {other.dtype}, and here {weight.dtype} (quantized)"
        if not _is_number(other.dtype):
            return f"its {weight.name} is {other.dtype}, which is not a number"
    return ""


def _is_seed(stored: Stored) -> bool:
    """Whether an array is the state of a random generator, which no layer here takes over."""
    return stored.shape == (2,) and stored.dtype in ("uint32", "int64", "int32")


def _is_number(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat", "int", "uint", "bool"))


def _cast(ours: Sequence[Weight], theirs: Mapping[str, Stored]) -> str:
    changed = {(theirs[weight.slot].dtype, weight.dtype) for weight in ours}
    return ", ".join(sorted(f"{one} → {other}" for one, other in changed if one != other))


def _with_arrays(start: LayerStart, places: Sequence[Place]) -> LayerStart:
    names = ", ".join(place.weight.name for place in places)
    rest = f"; the rest {start.state}" if start.state != "fresh" else ""
    theirs = start.theirs if start.state == "loaded" else None
    return LayerStart(start.layer, None, "array", theirs, f"{names}{rest}")


def _differs(start: LayerStart, route: Route) -> Diagnostic:
    theirs = "" if start.theirs == start.layer else f" ({start.theirs} there)"
    message = f"{start.layer}{theirs} cannot start from the file: {start.note}"
    hint = f"weights: {{skip: [{start.layer}]}} lets it start fresh"
    related = (Related("the weights come from here", _FROM, "value"),)
    return Diagnostic("weights-mismatch", message, route, "key", hint=hint, related=related)


def _frozen(name: str, ours: Sequence[Weight], route: Route) -> Iterator[Diagnostic]:
    if ours and any(weight.frozen for weight in ours):
        message = f"{name} is frozen, and starts from fresh weights: it stays random"
        hint = "weights: {from: PATH} gives it trained weights; or leave out trainable: false"
        yield Diagnostic("frozen-fresh", message, route, "key", "warning", hint=hint)


def _nothing(headers: Headers, layout: Layout) -> Diagnostic:
    theirs = [name for name, slots in headers.items() if slots]
    message = (
        f"no layer of the file has the name of a layer here: it has {_listed(theirs)}, "
        f"and the spec {_listed(layout)}"
    )
    hint = "weights: {rename: {THEIRS: OURS}} matches them"
    return Diagnostic("no-common-layer", message, _FROM, hint=hint)


def _places(weights: StartingWeights, layout: Layout) -> tuple[list[Place], list[Diagnostic]]:
    places: list[Place] = []
    problems: list[Diagnostic] = []
    for key, source in weights.layers.items():
        route: Route = ("weights", "layers", key)
        if source.array is None and source.file is None:
            message = f"{key} needs array, the name of an array"
            problems.append(Diagnostic("missing-key", message, route, "key"))
        place = _weight(key, layout)
        if isinstance(place, Place):
            places.append(place)
        else:
            message = f"no weight is named {key}"
            problems.append(Diagnostic("unknown-weight", message, route, "key", hint=place))
    return places, problems


def _weight(key: str, layout: Layout) -> Place | str | None:
    """The weight that a key names; otherwise a hint."""
    layers = [name for name in layout if key.startswith(f"{name}.")]
    layer = max(layers, key=len, default=None)
    if layer is None:
        return did_you_mean(key, (f"{n}.{w.name}" for n, ws in layout.items() for w in ws)) or (
            "a key is LAYER.WEIGHT, as in words.embeddings"
        )
    name = key.removeprefix(f"{layer}.")
    weights = layout[layer]
    exact = [weight for weight in weights if weight.name == name]
    ending = [weight for weight in weights if weight.name.rpartition("/")[2] == name]
    for candidates in (exact, ending):
        if len(candidates) == 1:
            return Place(layer, candidates[0], key)
    return f"{layer} has {', '.join(weight.name for weight in weights)}"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more if names else "none with weights"

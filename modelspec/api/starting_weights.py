"""What a spec's layers start from: a run, a file, or arrays, matched before anything is trained."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelspec.api.model_cache import remember_layout
from modelspec.api.model_spec import ModelSpec, load
from modelspec.data.arrays import digest, read_headers
from modelspec.data.arrays import load as load_array
from modelspec.data.concatenated import Array
from modelspec.data.npz import Member
from modelspec.data.shards import Data, read_shards
from modelspec.graph.graph import Graph, Node
from modelspec.language.paths import folder_of, path_from
from modelspec.language.spec import ArraySource
from modelspec.problems.diagnostic import Diagnostic, Route, did_you_mean, has_errors
from modelspec.problems.errors import RunError
from modelspec.results.weights import Account, Layout
from modelspec.runs.layout import CHECKPOINTS, RECORD
from modelspec.runs.run import Run
from modelspec.weights.files import (
    CheckpointWeights,
    Stored,
    WeightFileError,
    WeightSource,
    read_weight_file,
)
from modelspec.weights.plan import Place, Plan, make_plan

if TYPE_CHECKING:
    from modelspec.backend.model.layout import Values

IMAGENET = "imagenet"
_FROM: Route = ("weights", "from")


@dataclass(frozen=True)
class Start:
    """What each layer starts from, and the problems of it; values are read by ``values``."""

    account: Account
    problems: list[Diagnostic]
    plan: Plan
    source: WeightSource | None = None
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def values(self) -> Iterator["Values"]:
        """The values of one layer after another, by layer and slot."""
        for ours, theirs in self.plan.loads.items():
            assert self.source is not None
            slots = {place.weight.slot for place in self.plan.arrays if place.layer == ours}
            read = self.source.read(theirs)
            yield {ours: {slot: array for slot, array in read.items() if slot not in slots}}
        for place in self.plan.arrays:
            yield {place.layer: {place.weight.slot: self.arrays[place.key]}}


def plan_start(source: ModelSpec, layout: Layout, data: Data | None = None) -> Start:
    """Compare the weights that a spec names with the layers of its model.

    Args:
        source: The spec, without errors.
        layout: The weights of its model.
        data: The training data, for arrays that the spec takes from it. Without it, they are not
            looked for.
    """
    valid = source.require()
    weights, graph = valid.spec.weights, valid.graph
    fitted = {node.layer for node in graph.adapted}
    layout = {name: weights for name, weights in layout.items() if name not in fitted}
    opened, problems = open_weights(source)
    routes = {node.layer: node.route for node in reversed(graph.nodes) if node.layer == node.name}
    pretrained = {node.layer for node in graph.nodes if _is_pretrained(source, node)}
    plan = make_plan(
        layout, opened.headers if opened else None, weights, routes, _chosen(graph) | pretrained
    )
    if not (weights.from_ and opened is None):
        problems += plan.problems
    arrays, faults = _arrays(source, plan.arrays, data)
    lines = {name: valid.document.locate(route, "key").span.line for name, route in routes.items()}
    layers = tuple(
        replace(
            layer,
            line=lines.get(layer.layer),
            note=IMAGENET if layer.state == "fresh" and layer.layer in pretrained else layer.note,
        )
        for layer in plan.layers
    )
    account = Account(weights.from_, layers, plan.unused)
    return Start(account, [*problems, *faults], plan, opened, arrays)


def _is_pretrained(source: ModelSpec, node: Node) -> bool:
    entry = source.catalog.find("layer", node.type)
    weights = node.arguments.get("weights", IMAGENET)
    return entry is not None and entry.module is not None and weights == IMAGENET


def _chosen(graph: Graph) -> set[str]:
    """Layers whose fresh weights the spec chooses: a table of constants can be frozen."""
    return {
        node.layer
        for node in graph.nodes
        if any(name.endswith("_initializer") for name in node.arguments)
        or node.arguments.get("weights") is not None
    }


def apply_start(source: ModelSpec, model: Any, start: Start) -> None:
    """Put the values into the model's weights.

    Raises:
        SpecError: The file is damaged, or a value is not finite.
    """
    from modelspec.backend.model.layout import assign_weights

    try:
        for values in start.values():
            source.require(_not_finite(source, values))
            assign_weights(model, values)
    except WeightFileError as error:
        source.require([_unusable(error)])


def _not_finite(source: ModelSpec, values: "Values") -> list[Diagnostic]:
    routes = {node.layer: node.route for node in source.require().graph.nodes}
    return [
        Diagnostic(
            "not-finite",
            f"the weights that {layer} would start from hold NaN or infinity",
            routes.get(layer, ()),
            "key",
            hint=f"weights: {{skip: [{layer}]}} lets it start fresh",
        )
        for layer, slots in values.items()
        if any(array.dtype.kind == "f" and not np.isfinite(array).all() for array in slots.values())
    ]


def open_weights(source: ModelSpec) -> tuple[WeightSource | None, list[Diagnostic]]:
    """The weights that a spec starts from, as far as headers tell of them."""
    assert source.spec is not None
    assert source.document is not None
    written = source.spec.weights.from_
    if written is None:
        return None, _without_file(source)
    path = path_from(folder_of(source.document), written)
    if not path.exists():
        hint = _near(path) or "a path is relative to the spec; train --weights PATH replaces it"
        return None, [Diagnostic("weights-not-found", f"there is no {path}", _FROM, hint=hint)]
    try:
        if path.name == RECORD or (path / RECORD).exists():
            return _of_run(Run.open(path.parent if path.name == RECORD else path))
        return read_weight_file(path), []
    except (WeightFileError, RunError) as error:
        return None, [_unusable(error)]


def _without_file(source: ModelSpec) -> list[Diagnostic]:
    assert source.spec is not None
    written = source.spec.weights
    hint = "from: a run, a .keras file or a .weights.h5 file; or train --weights PATH"
    return [
        Diagnostic("missing-key", f"{key} needs from beside it", ("weights", key), "key", hint=hint)
        for key in ("rename", "skip")
        if getattr(written, key)
    ]


def _near(path: Path) -> str | None:
    try:
        return did_you_mean(path.name, (sibling.name for sibling in path.parent.iterdir()))
    except OSError:
        return None


def _unusable(error: Exception) -> Diagnostic:
    hint = getattr(error, "hint", None)
    return Diagnostic("weights-unreadable", str(error), _FROM, hint=hint)


def _of_run(run: Run) -> tuple[WeightSource | None, list[Diagnostic]]:
    """The final weights of a run; those of its last checkpoint where it did not end."""
    status = run.status
    if run.model_path.exists():
        return read_weight_file(run.model_path), []
    kept = sorted((run.path / CHECKPOINTS).glob("epoch-*.npz"), key=lambda file: file.stem)
    hint = f"modelspec train --run {run.path} --resume ends it"
    if not kept:
        raise WeightFileError(f"the run {run.path} ({status}) has no model and no checkpoint", hint)
    layout = run_layout(run)
    slots = {name: {weight.slot: weight.index for weight in ws} for name, ws in layout.items()}
    headers = {
        name: {weight.slot: Stored(weight.shape, weight.dtype) for weight in ws}
        for name, ws in layout.items()
    }
    message = f"the run {run.path} did not end: its last checkpoint is used, {kept[-1].name}"
    warning = Diagnostic("unfinished-run", message, _FROM, severity="warning", hint=hint)
    return CheckpointWeights(headers, slots, kept[-1]), [warning]


def run_layout(run: Run) -> Layout:
    """The weights of a run's model, from the spec in its folder."""
    source = load(run.spec_path)
    if has_errors(source.diagnostics):
        raise WeightFileError(f"{run.spec_path} has errors, so the checkpoint cannot be read")
    return layout(source, light=True)


def layout(source: ModelSpec, *, light: bool = False) -> Layout:
    """The weights of a spec's model, computed without allocating one.

    Raises:
        SpecError: Keras refuses a layer.
    """
    valid = source.require()
    precision = valid.spec.training.precision

    def describe() -> Layout:
        from modelspec.backend.model.shapes import start_for

        start_for(valid.graph, precision, light=light and not valid.catalog.plugins)
        from modelspec.backend.model.compiling import build_model
        from modelspec.backend.model.layout import layout_of

        training = valid.spec.training
        model, problems = build_model(valid.graph, training, source.catalog, allocate=False)
        source.require(problems)
        return layout_of(model)

    return remember_layout(valid.graph, source.catalog, precision, describe)


def start_of(model: Any) -> Layout:
    """The weights of a built model."""
    from modelspec.backend.model.layout import layout_of

    return layout_of(model)


def _arrays(
    source: ModelSpec, places: list[Place], data: Data | None
) -> tuple[dict[str, Array], list[Diagnostic]]:
    """The arrays of single weights, by their key."""
    valid = source.require()
    arrays: dict[str, Array] = {}
    problems: list[Diagnostic] = []
    for place in places:
        wanted = valid.spec.weights.layers[place.key]
        if wanted.file is None and data is None:
            continue
        member, unusable = _member(source, wanted, data, ("weights", "layers", place.key))
        problems += unusable
        if member is None:
            continue
        misfits = list(_misfits(member, place))
        array, faults = load_array(member) if not misfits else (None, [])
        problems += [*misfits, *faults]
        if array is not None:
            arrays[place.key] = array
    return arrays, problems


def _member(
    source: ModelSpec, wanted: ArraySource, data: Data | None, route: Route
) -> tuple[Member | None, list[Diagnostic]]:
    members, problems = _members(source, wanted, data, route)
    if has_errors(problems) or members is None:
        return None, problems
    if wanted.array is None and len(members) == 1:
        return next(iter(members.values())), []
    member = members.get(wanted.array or "")
    if member is None or member.broken:
        where = wanted.file or "the data"
        message = (
            f"{where} has no array {wanted.array or 'of one name'}: it has {', '.join(members)}"
        )
        at = (*route, "array") if wanted.array else route
        hint = did_you_mean(wanted.array or "", members)
        return None, [Diagnostic("missing-array", message, at, hint=hint)]
    return member, []


def _members(
    source: ModelSpec, wanted: ArraySource, data: Data | None, route: Route
) -> tuple[dict[str, Member] | None, list[Diagnostic]]:
    if wanted.file is None:
        shards, problems = read_shards(data if data is not None else [])
        # Several files with an array of this name hold the same one.
        entries = [entry for held in shards.values() for entry in held.items()]
        errors = [problem for problem in problems if problem.severity == "error"]
        return dict(reversed(entries)), errors
    path = path_from(folder_of(source.require().document), wanted.file)
    if not path.exists():
        message = f"there is no {path}"
        return None, [Diagnostic("weights-not-found", message, (*route, "file"), hint=_near(path))]
    if path.suffix == ".npy":
        return _npy(path, (*route, "file"))
    members, problems = read_headers(path)
    errors = [problem for problem in problems if problem.severity == "error"]
    return members, [
        Diagnostic(
            "weights-unreadable", f"{path}: {error.message}", (*route, "file"), hint=error.hint
        )
        for error in errors
    ]


def _npy(path: Path, route: Route) -> tuple[dict[str, Member] | None, list[Diagnostic]]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - what NumPy raises at bytes gone wrong is its choice
        message = f"{path} cannot be read: {' '.join(str(error).split())[:200]}"
        return None, [Diagnostic("weights-unreadable", message, route)]
    held = np.asarray(array)
    return {path.stem: Member(path.stem, held.dtype, held.shape, False, path, held=held)}, []


def _misfits(member: Member, place: Place) -> Iterator[Diagnostic]:
    route = ("weights", "layers", place.key)
    weight = place.weight
    if member.dtype.kind not in "fiub":
        message = f"array {member.name} is {member.dtype}, and {place.key} takes numbers"
        yield Diagnostic("wrong-dtype", message, route)
    elif member.shape != weight.shape:
        message = (
            f"array {member.name} has the shape {list(member.shape)}, and {place.key} "
            f"{list(weight.shape)}"
        )
        yield Diagnostic("wrong-shape", message, route)


def record_of(start: Start) -> dict[str, Any]:
    """What ``run.json`` keeps of a start: the account, and what identifies the weights."""
    arrays = {key: digest(array) for key, array in start.arrays.items()}
    path = getattr(start.source, "path", None)
    return start.account.as_json() | {
        "file": str(path) if path else None,
        "sha256": _sha256(path) if path else None,
        "arrays": arrays,
    }


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

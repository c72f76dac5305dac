"""The weights from which a spec's script starts, matched as in ``train``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from modelspec.api.model_spec import ModelSpec
from modelspec.api.starting_weights import plan_start
from modelspec.api.weight_sources import layout
from modelspec.convert.archive import ZIP_MAGIC
from modelspec.convert.python.starting import SavedModel, SingleWeight, Start, WeightsFile
from modelspec.graph.naming import snake_case
from modelspec.language.paths import folder_of, path_from
from modelspec.problems.diagnostic import has_errors
from modelspec.problems.errors import ModelError, SpecError
from modelspec.results.weights import Layout, Weight
from modelspec.weights.files import H5Weights
from modelspec.weights.legacy import LEGACY, MODEL
from modelspec.weights.places import Place
from modelspec.weights.plan import Plan
from modelspec.weights.slots import slots_of


def start_of_script(source: ModelSpec, data: Path | str | None) -> Start | None:
    """Return the files that a spec starts from, and the arrays that each layer takes from them.

    Raises:
        SpecError: The weights do not fit the model.
        ModelError: A script cannot read them.
    """
    valid = source.require()
    weights = valid.spec.weights
    if weights == type(weights)():
        return None
    planned = plan_start(source, layout(source), data)
    if has_errors(planned.problems):
        raise SpecError(source.place(planned.problems))
    plan, file = planned.plan, planned.source
    types = {node.layer: node.type for node in valid.graph.nodes}
    loaded = [*plan.loads, *(place.layer for place in plan.arrays)]
    return Start(
        file=None if file is None else _file(file, plan, types),
        weights=tuple(_single(source, place, plan.layout) for place in plan.arrays),
        derived=tuple(name for name in loaded if types.get(name) == "Normalization"),
    )


def _file(file: object, plan: Plan, types: Mapping[str, str]) -> SavedModel | WeightsFile:
    if not isinstance(file, H5Weights):
        raise ModelError(
            "a script cannot start from a run that did not end: its checkpoint is modelspec's own; "
            "finish the run with modelspec train --resume"
        )
    if _is_model(file):
        for ours, theirs in plan.loads.items():
            _require_order(plan.layout[ours], file, theirs)
        models = {ours: _steps(file, theirs) for ours, theirs in plan.loads.items()}
        return SavedModel(str(file.path), models)
    arrays = {ours: _arrays(file, plan.layout[ours], name) for ours, name in plan.loads.items()}
    return WeightsFile(str(file.path), arrays, is_whole=_is_whole(file, plan, types))


def _is_model(file: H5Weights) -> bool:
    """Return True where a file has a whole model that Keras can load, and not only weights."""
    with file.path.open("rb") as opened:
        is_archive = opened.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    return is_archive or any(group.startswith(f"{MODEL}/") for group in file.groups.values())


def _require_order(ours: Sequence[Weight], file: H5Weights, theirs: str) -> None:
    """Refuse a nested model whose layers have another order than in the file.

    Raises:
        ModelError: ``get_weights`` of one does not fit ``set_weights`` of the other.
    """
    stored = file.headers[theirs]
    slots = slots_of(ours, stored, theirs)
    moved = any(slot != at for slot, at in slots.items()) and not any(
        slot.startswith(LEGACY) for slot in stored
    )
    if moved:
        raise ModelError(
            f"a script cannot start {theirs} from {file.path}, which has its layers in another "
            "order: name it under models, or skip it"
        )


def _steps(file: H5Weights, theirs: str) -> tuple[str, ...]:
    """Return the names that lead to a layer of the file, which may be inside of models."""
    depth = f"/{file.groups[theirs]}".count("/layers/")
    return tuple(theirs.split(".", max(depth, 1) - 1))


def _arrays(file: H5Weights, ours: Sequence[Weight], theirs: str) -> tuple[str, ...]:
    """Return the arrays of a layer of the file, in the order of the spec's weights."""
    stored = file.headers[theirs]
    if any(header.dtype == "bfloat16" for header in stored.values()):
        raise ModelError(f"a script cannot read {file.path}: its weights are bfloat16")
    slots = slots_of(ours, stored, theirs)
    ordered = sorted(ours, key=lambda weight: weight.index)
    names = [slots[weight.slot].removeprefix(LEGACY) for weight in ordered]
    return tuple(f"{file.groups[theirs]}/{name}" for name in names)


def _is_whole(file: H5Weights, plan: Plan, types: Mapping[str, str]) -> bool:
    """Return True where ``load_weights`` gives every layer the same weights as the plan.

    It matches layers by their classes and order, and loads the states of generators as well.
    """
    counts: dict[str, int] = {}
    for name in plan.layout:
        kind = snake_case(types.get(name, ""))
        counts[kind] = count = counts.get(kind, -1) + 1
        group = f"layers/{kind}_{count}" if count else f"layers/{kind}"
        if plan.loads.get(name) != name or file.groups.get(name) != group:
            return False
    slots = [slot for stored in file.headers.values() for slot in stored]
    drawn = any("seed_generator" in slot or slot.startswith(LEGACY) for slot in slots)
    return not drawn and not plan.unused and not plan.arrays


def _single(source: ModelSpec, place: Place, model: Layout) -> SingleWeight:
    valid = source.require()
    wanted = valid.spec.weights.layers[place.key]
    ordered = sorted(model[place.layer], key=lambda weight: weight.index)
    path = None if wanted.file is None else path_from(folder_of(valid.document), wanted.file)
    array = wanted.array
    if path is not None and path.suffix != ".npy" and array is None:
        with np.load(path) as stored:
            [array] = stored.files
    if path is not None and path.suffix == ".npy":
        array = None
    index = ordered.index(place.weight)
    file = None if path is None else str(path)
    return SingleWeight(place.layer, place.weight.name, index, file, array)

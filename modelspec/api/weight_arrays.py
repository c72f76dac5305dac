"""The arrays that single weights start from: in the data, or in a file of their own."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from modelspec.api.model_spec import ModelSpec
from modelspec.data.arrays import load as load_array
from modelspec.data.concatenated import Array
from modelspec.data.npz import Member, read_headers
from modelspec.data.shards import Data, read_shards
from modelspec.language.paths import folder_of, near_name, path_from
from modelspec.language.spec import ArraySource
from modelspec.problems.diagnostic import Diagnostic, Route, did_you_mean, has_errors
from modelspec.weights.places import Place


def weight_arrays(
    source: ModelSpec, places: list[Place], data: Data | None
) -> tuple[dict[str, Array], list[Diagnostic]]:
    """Return the arrays of single weights, by their key."""
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
        # Several files with an array of this name have the same array.
        entries = [entry for held in shards.values() for entry in held.items()]
        errors = [problem for problem in problems if problem.severity == "error"]
        return dict(reversed(entries)), errors
    path = path_from(folder_of(source.require().document), wanted.file)
    if not path.exists():
        message = f"there is no {path}"
        return None, [
            Diagnostic("weights-not-found", message, (*route, "file"), hint=near_name(path))
        ]
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
    except Exception as error:  # noqa: BLE001 - NumPy raises any type for damaged bytes
        message = f"{path} cannot be read: {' '.join(str(error).split())[:200]}"
        return None, [Diagnostic("weights-unreadable", message, route)]
    held = np.asarray(array)
    return {path.stem: Member(path.stem, held.dtype, held.shape, False, path, held=held)}, []


def _misfits(member: Member, place: Place) -> Iterator[Diagnostic]:
    route = ("weights", "layers", place.key)
    weight = place.weight
    if member.dtype.kind not in "fiub":
        message = f"array {member.name} is {member.dtype}, but {place.key} takes numbers"
        yield Diagnostic("wrong-dtype", message, route)
    elif member.shape != weight.shape:
        message = (
            f"array {member.name} has the shape {list(member.shape)}, but {place.key} has "
            f"{list(weight.shape)}"
        )
        yield Diagnostic("wrong-shape", message, route)

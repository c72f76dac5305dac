"""Arrays of a data set by the names of inputs and outputs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from modelspec.data.claims import GROUPS, Part, Sources, Targets, weight_key
from modelspec.data.classes import ClassNames, unlisted_classes, with_ids
from modelspec.data.column_kinds import wanted_columns
from modelspec.data.concatenated import Column
from modelspec.data.matching import has_validation, marked_arrays, match
from modelspec.data.npz import Member
from modelspec.data.shards import (
    Data,
    Say,
    Shards,
    check_alike,
    columns_of,
    load_columns,
    read_shards,
)
from modelspec.data.stacking import stack_columns
from modelspec.data.tables.cells import TEXT, Wanted
from modelspec.data.tables.reading import read_cells
from modelspec.problems.diagnostic import Diagnostic, did_you_mean, has_errors


@dataclass(frozen=True, slots=True)
class Dataset:
    """Arrays by the spec's names, in the spec's order; the first axis of each is the sample.

    ``groups`` is each sample's group, where a split keeps groups whole. ``array_names`` maps each
    name of the spec, and ``NAME_weight``, to the array's name. ``classes`` are the names of the
    classes that the ids of targets mean; ``unlisted`` are the outputs whose classes the spec does
    not list, so that they are those in the rows.
    """

    inputs: Mapping[str, Column]
    targets: Mapping[str, Column]
    weights: Mapping[str, Column]
    array_names: Mapping[str, str]
    samples: int
    groups: Column | None = None
    classes: Mapping[str, ClassNames] = field(default_factory=dict)
    unlisted: frozenset[str] = frozenset()


def load_dataset(
    paths: Data,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Sources = MappingProxyType({}),
    dtypes: Mapping[str, str] = MappingProxyType({}),
    groups: str | None = None,
    part: Part = "train",
    targets: Targets = "required",
    say: Say | None = None,
    announce: bool = True,
    others: Collection[str] = (),
    one_hot: Collection[str] = (),
) -> tuple[Dataset | None, list[Diagnostic]]:
    """Load the arrays that the spec needs; None where there are errors.

    Args:
        paths: Npz files, tables, and folders of them, whose rows are concatenated.
        inputs: The names of the inputs.
        outputs: The names of the outputs that need targets.
        names: ``data`` of the spec.
        dtypes: The declared dtypes of the inputs.
        groups: The array with the group of each sample, if groups are kept whole.
        part: The part of the data.
        targets: Says whether missing targets are a problem.
        say: A function for notes: arrays that are unpacked to the disk and, with ``announce``, the
            arrays in use, if a suffix decided for one of them.
        announce: Also name the arrays in use.
        others: Arrays that something else in the spec uses.
        one_hot: Outputs whose losses take a row of shares, not an id: class names become such rows.
    """
    shards, problems = read_shards(paths)
    members = _members(shards)
    if not members and has_errors(problems):
        return None, problems
    chosen, mismatches = match(
        members,
        inputs=inputs,
        outputs=outputs,
        names=names,
        groups=groups,
        part=part,
        targets=targets,
        others=others,
    )
    if say and announce and (arrays_in_use := marked_arrays(chosen, names)):
        purpose = "arrays to validate on" if part == "validation" else "arrays in use"
        say(f"{purpose}: {arrays_in_use}")
    columns, unlike = columns_of(shards, (member.name for member in chosen.values()))
    problems += [*mismatches, *unlike]
    if has_errors(problems):
        return None, problems
    wanted, faults = wanted_columns(chosen, names, dtypes, outputs)
    arrays, more = ({}, []) if has_errors(faults) else _loaded(columns, wanted, say)
    problems += [*faults, *more]
    if has_errors(problems):
        return None, problems
    by_key = {key: arrays[member.name] for key, member in chosen.items()}
    array_names = {key: member.name for key, member in chosen.items()}
    files = [member.file for column in columns.values() for member in column]
    by_name, faults = stack_columns(by_key, array_names, names, dtypes, files=files, say=say)
    sources = {name: source for name, source in names.items() if name in outputs}
    by_name, classes, wrong = with_ids(by_name, array_names, sources, one_hot)
    problems += [*faults, *wrong]
    if has_errors(problems):
        return None, problems
    unlisted = unlisted_classes(sources) & classes.keys()
    dataset = _dataset(by_name, array_names, inputs, outputs)
    return replace(dataset, classes=classes, unlisted=unlisted), problems


def _members(shards: Shards) -> dict[str, Member]:
    """Return the members of all files by name, sorted; of several, that of the first file."""
    members: dict[str, Member] = {}
    for held in shards.values():
        members = {**held, **members}
    return dict(sorted(members.items()))


def load_named(
    paths: Data, names: Sequence[str], say: Say | None = None
) -> tuple[dict[str, Column], list[Diagnostic]]:
    """Load columns and arrays by their own names, those of tables as text; for predictions."""
    shards, problems = read_shards(paths)
    known = {name for members in shards.values() for name in members}
    for name in names:
        if name not in known:
            message = f"the data has no column {name}"
            hint = did_you_mean(name, known)
            file = str(next(iter(shards), ""))
            problems.append(Diagnostic("missing-array", message, hint=hint, file=file))
    if has_errors(problems):
        return {}, problems
    columns, mismatches = columns_of(shards, names)
    arrays, faults = _loaded(columns, dict.fromkeys(names, TEXT), say)
    problems = [*mismatches, *faults]
    for name, array in arrays.items():
        if array.ndim != 1:
            message = f"array {name} has shape {list(array.shape)}, not one value for each sample"
            file = str(columns[name][0].file)
            problems.append(Diagnostic("wrong-shape", message, file=file))
    return arrays, [problem for problem in problems if problem.severity == "error"]


def _loaded(
    columns: Mapping[str, Sequence[Member]], wanted: Mapping[str, Wanted], say: Say | None
) -> tuple[dict[str, Column], list[Diagnostic]]:
    """Load the arrays by their names in the data; none where there are errors."""
    read, problems = read_cells(columns, wanted, say)
    problems += check_alike(read)
    if has_errors(problems):
        return {}, problems
    arrays, faults = load_columns(read, say)
    return arrays, [*problems, *faults]


def _dataset(
    arrays: Mapping[str, Column],
    array_names: Mapping[str, str],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> Dataset:
    by_input = {name: arrays[name] for name in inputs}
    first = next(iter(by_input.values()), None)
    return Dataset(
        inputs=by_input,
        targets={name: arrays[name] for name in outputs if name in arrays},
        weights={name: arrays[key] for name in outputs if (key := weight_key(name)) in arrays},
        array_names=array_names,
        samples=len(first) if first is not None and first.ndim else 0,
        groups=arrays.get(GROUPS),
    )


def has_validation_part(
    paths: Data,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Sources = MappingProxyType({}),
) -> bool:
    """Return True where the data has a validation part, such as ``x_val`` and ``y_val``."""
    shards, _ = read_shards(paths)
    return has_validation(_members(shards), inputs=inputs, outputs=outputs, names=names)

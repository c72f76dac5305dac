"""Arrays of a data set by the names of inputs and outputs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from modelspec.data.classes import ClassNames, OneHot, class_ids
from modelspec.data.concatenated import Column
from modelspec.data.matching import (
    GROUPS,
    Part,
    Sources,
    Targets,
    has_validation,
    marked_arrays,
    match,
    named,
    part_key,
    weight_key,
)
from modelspec.data.npz import Member
from modelspec.data.shards import Data, Say, check_alike, columns_of, load_columns, read_shards
from modelspec.data.stacking import stack
from modelspec.data.tables.cells import TEXT, Kind, Wanted
from modelspec.data.tables.reading import read_cells
from modelspec.data.unpacking import NoRoomError
from modelspec.language.columns import ColumnSource, Source
from modelspec.problems.diagnostic import Diagnostic, did_you_mean, has_errors


@dataclass(frozen=True, slots=True)
class Dataset:
    """Arrays by the spec's names, in the spec's order; the first axis of each is the sample.

    ``groups`` tells each sample's group, where a split keeps groups whole. ``array_names`` gives
    the array's name for each name of the spec, and for ``NAME_weight``. ``classes`` are the names
    of the classes that the ids of targets stand for.
    """

    inputs: Mapping[str, Column]
    targets: Mapping[str, Column]
    weights: Mapping[str, Column]
    array_names: Mapping[str, str]
    samples: int
    groups: Column | None = None
    classes: Mapping[str, ClassNames] = field(default_factory=dict)


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
    """The arrays that the names call for; None where there are errors.

    ``paths`` are npz files, tables, and folders of them, whose rows are concatenated. ``dtypes``
    are the declared ones of the inputs. ``say`` is told what is unpacked to the disk and, with
    ``announce``, which arrays a suffix decided for. ``others`` are arrays that something else in
    the spec uses. ``one_hot`` are outputs whose losses take a row of shares and no id: names of
    classes become such rows.
    """
    shards, problems = read_shards(paths)
    members: dict[str, Member] = {}
    for held in shards.values():
        members = {**held, **members}
    members = dict(sorted(members.items()))
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
    problems += mismatches
    if say and announce and (arrays_in_use := marked_arrays(chosen, names)):
        purpose = "arrays to validate on" if part == "validation" else "arrays in use"
        say(f"{purpose}: {arrays_in_use}")
    columns, mismatches = columns_of(shards, (member.name for member in chosen.values()))
    problems += mismatches
    if has_errors(problems):
        return None, problems
    wanted, faults = _wanted(chosen, names, dtypes, outputs)
    problems += faults
    if has_errors(problems):
        return None, problems
    arrays, faults = _loaded(columns, wanted, say)
    problems += faults
    if has_errors(problems):
        return None, problems
    columns_by_key = {key: arrays[member.name] for key, member in chosen.items()}
    array_names = {key: member.name for key, member in chosen.items()}
    files = [member.file for column in columns.values() for member in column]
    by_name, faults = _stacked(columns_by_key, array_names, names, dtypes, files=files, say=say)
    sources = {name: source for name, source in names.items() if name in outputs}
    by_name, classes, wrong = _with_ids(by_name, array_names, sources, one_hot)
    problems += [*faults, *wrong]
    if has_errors(problems):
        return None, problems
    return _dataset(by_name, array_names, inputs, outputs, classes), problems


def load_named(
    paths: Data, names: Sequence[str], say: Say | None = None
) -> tuple[dict[str, Column], list[Diagnostic]]:
    """Columns and arrays by their own names, those of tables as text; for predictions."""
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
    """The arrays by their names in the data; none where there are errors."""
    read, problems = read_cells(columns, wanted, say)
    problems += check_alike(read)
    if has_errors(problems):
        return {}, problems
    arrays, faults = load_columns(read, say)
    return arrays, [*problems, *faults]


def _wanted(
    chosen: Mapping[str, Member],
    names: Sources,
    dtypes: Mapping[str, str],
    outputs: Collection[str],
) -> tuple[dict[str, Wanted], list[Diagnostic]]:
    """How the columns of tables are read, by their names in the data.

    A column that is used as text and as numbers is text, and has the cells of either.
    """
    wanted: dict[str, Wanted] = {}
    problems: list[Diagnostic] = []
    for key, member in chosen.items():
        name = key.partition("[")[0]
        source = names.get(name)
        one = Wanted(_kind(key, source, dtypes, outputs))
        if isinstance(source, ColumnSource):
            dtype = None if source.dtype == "string" else source.dtype
            one = Wanted(one.kind, dtype, source.missing)
            problems += _unlike(member, source, name)
        other = wanted.get(member.name, one)
        if (one.dtype, one.missing) != (other.dtype, other.missing):
            message = f"column {member.name} is used a second time, with another dtype or missing"
            hint = "write the same for both"
            problems.append(Diagnostic("wrong-value", message, ("data", name), hint=hint))
        kind = one.kind if other.kind == one.kind else "text"
        wanted[member.name] = Wanted(kind, one.dtype, one.missing)
    return wanted, problems


def _kind(
    key: str, source: Source | None, dtypes: Mapping[str, str], outputs: Collection[str]
) -> Kind:
    """What a column is for, by the spec's name of it."""
    if dtypes.get(key.partition("[")[0]) == "string":
        return "text"
    if key == GROUPS:
        return "any"
    if not isinstance(source, ColumnSource):
        return "number"
    if source.dtype == "string":
        return "text"
    if key in outputs and source.has_classes:
        return "any" if source.classes is None else _kind_of(source.classes)
    return "number"


def _unlike(member: Member, source: ColumnSource, name: str) -> Iterator[Diagnostic]:
    """Problems of an array of an npz file, which has a type already."""
    if member.table:
        return
    if source.missing:
        message = f"{member.name} is an array, and missing is for the cells of tables"
        yield Diagnostic("wrong-value", message, ("data", name, "missing"))
    kinds = "US" if source.dtype == "string" else _NUMBERS.get(str(source.dtype), "")
    if source.dtype is not None and member.dtype.kind not in kinds:
        message = f"array {member.name} holds {member.dtype}, not {source.dtype}"
        yield Diagnostic("wrong-dtype", message, ("data", name, "dtype"))


_NUMBERS = {"int32": "biu", "int64": "biu", "float32": "biuf", "float64": "biuf"}
"""The kinds of arrays that a type of numbers stands for."""


def _kind_of(classes: Sequence[str | int]) -> Kind:
    return "text" if any(isinstance(name, str) for name in classes) else "number"


def _stacked(
    columns: Mapping[str, Column],
    array_names: dict[str, str],
    names: Sources,
    dtypes: Mapping[str, str],
    *,
    files: Sequence[Path],
    say: Say | None,
) -> tuple[dict[str, Column], list[Diagnostic]]:
    """The columns by the spec's names; lists of them side by side."""
    by_name, problems = dict(columns), []
    for name, written in names.items():
        source = named(written)
        if not isinstance(source, tuple):
            continue
        keys = [part_key(name, position) for position in range(len(source))]
        if not all(key in columns for key in keys):
            continue
        parts = [by_name.pop(key) for key in keys]
        for key in keys:
            array_names.pop(key)
        array_names[name] = name
        text = {part.dtype.kind in "US" for part in parts}
        if len({part.shape for part in parts}) > 1 or len(text) > 1:
            shapes = ", ".join(
                f"{column} {part.dtype} {list(part.shape)}"
                for column, part in zip(source, parts, strict=True)
            )
            message = f"the arrays of {name} cannot be stacked: {shapes}"
            problems.append(Diagnostic("wrong-shape", message, ("data", name)))
            continue
        try:
            by_name[name] = stack(name, parts, files, dtypes.get(name), say)
        except NoRoomError as error:
            message = f"array {name} cannot be unpacked: {error}"
            problems.append(Diagnostic("array-too-large", message, ("data", name)))
    return by_name, problems


def _with_ids(
    columns: Mapping[str, Column],
    array_names: Mapping[str, str],
    names: Sources,
    one_hot: Collection[str],
) -> tuple[dict[str, Column], dict[str, ClassNames], list[Diagnostic]]:
    """The columns of outputs, with ids or rows of 0 and 1 where they have names of classes."""
    by_name, classes, problems = dict(columns), {}, []
    for name, source in names.items():
        if isinstance(source, ColumnSource) and source.has_classes and name in columns:
            route = ("data", name)
            ids, classes[name], faults = class_ids(
                array_names[name], columns[name], source.classes, route
            )
            by_name[name] = OneHot(ids, len(classes[name])) if name in one_hot else ids
            problems += faults
    return by_name, classes, problems


def _dataset(
    arrays: Mapping[str, Column],
    array_names: Mapping[str, str],
    inputs: Sequence[str],
    outputs: Sequence[str],
    classes: Mapping[str, ClassNames],
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
        classes=classes,
    )


def has_validation_part(
    paths: Data,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Sources = MappingProxyType({}),
) -> bool:
    """Return whether the data has a validation part, such as ``x_val`` and ``y_val``."""
    shards, _ = read_shards(paths)
    members = {name: member for held in shards.values() for name, member in held.items()}
    return has_validation(members, inputs=inputs, outputs=outputs, names=names)

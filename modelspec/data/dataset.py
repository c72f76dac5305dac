"""Arrays of a data set by the names of inputs and outputs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from modelspec.data.concatenated import Column
from modelspec.data.matching import (
    GROUPS,
    Part,
    Targets,
    has_validation,
    marked_arrays,
    match,
    weight_key,
)
from modelspec.data.npz import Member
from modelspec.data.shards import Data, Say, columns_of, load_columns, read_shards
from modelspec.problems.diagnostic import Diagnostic, has_errors


@dataclass(frozen=True, slots=True)
class Dataset:
    """Arrays by the spec's names, in the spec's order; the first axis of each is the sample.

    ``groups`` tells each sample's group, where a split keeps groups whole. ``array_names`` gives
    the npz array's name for each name of the spec, and for ``NAME_weight``.
    """

    inputs: Mapping[str, Column]
    targets: Mapping[str, Column]
    weights: Mapping[str, Column]
    array_names: Mapping[str, str]
    samples: int
    groups: Column | None = None


def load_dataset(
    paths: Data,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Mapping[str, str] = MappingProxyType({}),
    groups: str | None = None,
    part: Part = "train",
    targets: Targets = "required",
    say: Say | None = None,
    announce: bool = True,
    others: Collection[str] = (),
) -> tuple[Dataset | None, list[Diagnostic]]:
    """The arrays that the names call for; None where there are errors.

    ``paths`` are npz files and folders of them, whose arrays of one name are stacked; ``say`` is
    told what is unpacked to the disk and, with ``announce``, which arrays a suffix decided for.
    ``others`` are arrays that something else in the spec uses.
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
    arrays, faults = load_columns(columns, say)
    problems += faults
    if has_errors(problems):
        return None, problems
    columns_by_name = {name: arrays[member.name] for name, member in chosen.items()}
    return _dataset(columns_by_name, chosen, inputs, outputs), problems


def _dataset(
    arrays: Mapping[str, Column],
    chosen: Mapping[str, Member],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> Dataset:
    by_input = {name: arrays[name] for name in inputs}
    first = next(iter(by_input.values()), None)
    return Dataset(
        inputs=by_input,
        targets={name: arrays[name] for name in outputs if name in arrays},
        weights={name: arrays[key] for name in outputs if (key := weight_key(name)) in arrays},
        array_names={name: member.name for name, member in chosen.items()},
        samples=len(first) if first is not None and first.ndim else 0,
        groups=arrays.get(GROUPS),
    )


def has_validation_part(
    paths: Data,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Mapping[str, str] = MappingProxyType({}),
) -> bool:
    """Return whether the data has a validation part, such as ``x_val`` and ``y_val``."""
    shards, _ = read_shards(paths)
    members = {name: member for held in shards.values() for name, member in held.items()}
    return has_validation(members, inputs=inputs, outputs=outputs, names=names)

"""Arrays matched by name to the inputs and outputs of a spec."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from modelspec.data.concatenated import Column
from modelspec.data.npz import Member
from modelspec.data.shards import Paths, Say, columns_of, load_columns, read_shards
from modelspec.problems.diagnostic import Anchor, Diagnostic, Route, did_you_mean, has_errors

Part = Literal["train", "test"]
Targets = Literal["required", "optional"]

_PARTS: tuple[Part, Part] = ("train", "test")
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Dataset:
    """Arrays by the spec's names, in the spec's order; the first axis of each is the sample.

    ``array_names`` gives the npz array's name for each name of the spec, and for ``NAME_weight``.
    """

    inputs: Mapping[str, Column]
    targets: Mapping[str, Column]
    weights: Mapping[str, Column]
    array_names: Mapping[str, str]
    samples: int


def load_dataset(
    paths: Paths,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Mapping[str, str] = MappingProxyType({}),
    part: Part = "train",
    targets: Targets = "required",
    say: Say | None = None,
) -> tuple[Dataset | None, list[Diagnostic]]:
    """The arrays that the names call for; None where there are errors.

    ``paths`` are npz files and folders of them, whose arrays of one name are stacked; ``say`` is
    told what is unpacked to the disk.
    """
    shards, problems = read_shards(paths)
    members: dict[str, Member] = {}
    for held in shards.values():
        members = {**held, **members}
    members = dict(sorted(members.items()))
    if not members and has_errors(problems):
        return None, problems
    chosen, mismatches = match(
        members, inputs=inputs, outputs=outputs, names=names, part=part, targets=targets
    )
    problems += mismatches
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
    )


def weight_key(output: str) -> str:
    """The name under which ``match`` and ``Dataset.array_names`` keep the weights of ``output``."""
    return f"{output}_weight"


def match(
    members: Mapping[str, Member],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Mapping[str, str] = MappingProxyType({}),
    part: Part = "train",
    targets: Targets = "required",
) -> tuple[dict[str, Member], list[Diagnostic]]:
    """Members by the spec's names, inputs first; ``names`` is the spec's ``data``."""
    claims = _claims(inputs, outputs, names, required=targets == "required")
    chosen = {
        claim.key: member for claim in claims if (member := _find(members, claim.variants(part)))
    }
    claimed = {name for claim in claims for each in _PARTS for name in claim.variants(each)}
    free = [name for name in members if name not in claimed]
    missing = [
        _missing(claim, members, free, part)
        for claim in claims
        if claim.required and claim.key not in chosen
    ]
    # An array offered as the right name of a missing one is not reported a second time.
    hints = " ".join(problem.hint or "" for problem in missing)
    unknown = [name for name in free if _offer(_stem(name)) not in hints]
    return chosen, [*missing, *_unknown(unknown, members, claimed)]


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the spec wants from the data: ``stems`` are array names without part, best first."""

    key: str
    stems: tuple[str, ...]
    route: Route
    anchor: Anchor = "value"
    required: bool = True
    weight: bool = False

    def variants(self, part: Part) -> Iterator[str]:
        for name in self.stems:
            stem = _stem(name)
            if self.weight:
                yield from (f"{stem}_weight_{part}", f"{stem}_{part}_weight", f"{stem}_weight")
            else:
                yield from (f"{name}_{part}", f"{stem}_{part}", name)


def _claims(
    inputs: Sequence[str], outputs: Sequence[str], names: Mapping[str, str], *, required: bool
) -> list[_Claim]:
    single = len(inputs) == 1 and len(outputs) == 1
    taken = {*inputs, *outputs}

    def stems(name: str, short: str) -> tuple[str, ...]:
        if name in names:
            return (names[name],)
        # A spec that itself calls something x means that one by it.
        return (name, short) if single and short not in taken else (name,)

    def claim(name: str, short: str, route: Route, anchor: Anchor, *, needed: bool) -> _Claim:
        if name in names:
            route, anchor = ("data", name), "value"
        return _Claim(name, stems(name, short), route, anchor, required=needed)

    claims = [claim(name, "x", ("inputs", name), "key", needed=True) for name in inputs]
    for name in outputs:
        claims.append(claim(name, "y", ("outputs",), "value", needed=required))
        key = weight_key(name)
        if key in names:
            claims.append(_Claim(key, (names[key],), ("data", key), required=required))
        elif key not in taken:
            claims.append(_Claim(key, stems(name, "y"), (), required=False, weight=True))
    return claims


def _stem(name: str) -> str:
    return name.removesuffix("_train").removesuffix("_test")


def _find(members: Mapping[str, Member], names: Iterable[str]) -> Member | None:
    return next((members[name] for name in names if name in members), None)


def _missing(
    claim: _Claim, members: Mapping[str, Member], free: Sequence[str], part: Part
) -> Diagnostic:
    wanted = " or ".join(claim.stems)
    stranded = _find(members, claim.variants("test" if part == "train" else "train"))
    if stranded:
        used = f"{_stem(stranded.name)}_{part}"
        does = "training" if part == "train" else "evaluation"
        message = f"the data has {stranded.name}, but {does} needs {used} or {_stem(stranded.name)}"
        hint: str | None = f"add array {used}, or rename {stranded.name}"
    else:
        message = f"the data has no array {wanted}; it has {_listed(members)}"
        hint = _how_to_match(claim, sorted(set(map(_stem, free))))
    return Diagnostic("missing-array", message, claim.route, claim.anchor, hint=hint)


def _how_to_match(claim: _Claim, free: Sequence[str]) -> str:
    near = did_you_mean(claim.stems[0], free)
    right = next((name for name in free if _offer(name) == near), "ARRAY")
    fix = f"data: {{{claim.key}: {right}}} matches it"
    return f"{near} {fix}" if near else f"where it has another name, {fix}"


def _listed(members: Mapping[str, Member]) -> str:
    names = list(members)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more if names else "no arrays at all"


def _offer(name: str) -> str:
    return f"did you mean {name}?"


def _unknown(
    names: Sequence[str], members: Mapping[str, Member], claimed: Iterable[str]
) -> list[Diagnostic]:
    known = sorted(claimed)
    problems = [
        Diagnostic(
            "unknown-array",
            f"array {name} belongs to no input or output and is left alone",
            severity="warning",
            hint=did_you_mean(name, known),
            file=str(members[name].file),
        )
        for name in names[:_LISTED]
    ]
    if len(names) > _LISTED:
        message = f"{len(names) - _LISTED} more arrays belong to no input or output"
        file = str(members[names[-1]].file)
        problems.append(Diagnostic("unknown-array", message, severity="warning", file=file))
    return problems

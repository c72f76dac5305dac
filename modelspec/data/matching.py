"""Names of a spec, matched to the names of arrays, and to the parts of a data set."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

from modelspec.data.claims import (
    GROUPS,
    SUFFIXES,
    Claim,
    Part,
    Sources,
    Targets,
    claims_of,
    own_name,
    stem_of,
)
from modelspec.data.npz import Member
from modelspec.problems.diagnostic import Diagnostic, nearest, offer

_PHASES: Final[Mapping[Part, str]] = {
    "train": "training",
    "validation": "validation",
    "test": "evaluation",
}


_LISTED = 10


def match(
    members: Mapping[str, Member],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Sources = MappingProxyType({}),
    groups: str | None = None,
    part: Part = "train",
    targets: Targets = "required",
    others: Collection[str] = (),
) -> tuple[dict[str, Member], list[Diagnostic]]:
    """Return members by the spec's names, inputs first; ``names`` is the spec's ``data``.

    ``others`` are arrays that something else in the spec uses.

    A part that the data does not mark falls back to arrays without a suffix; the validation part
    to the test part first.
    """
    claims = claims_of(inputs, outputs, names, required=targets == "required")
    if groups is not None:
        claims.append(Claim(GROUPS, (groups,), ("training", "validation_split", "groups")))
    if part == "validation" and not any(map(partial(_marked, members), claims)):
        part = "test"
    chosen = {
        claim.key: member for claim in claims if (member := _find(members, claim.variants(part)))
    }
    claimed = {name for claim in claims for other in SUFFIXES for name in claim.variants(other)}
    free = [name for name in members if name not in claimed and name not in others]
    missing = [
        _missing(claim, members, free, part)
        for claim in claims
        if claim.required and claim.key not in chosen
    ]
    if part == "train":
        missing += _half_a_validation_part(members, claims)
    # An array that a hint offers for a missing one is not reported a second time.
    lacking = (claim for claim in claims if claim.required and claim.key not in chosen)
    offered = {near for claim in lacking if (near := _nearest(claim, free))}
    # The columns of a table rarely all belong to one model.
    unknown = [
        name
        for name in free
        if stem_of(name) not in offered
        and _without_prefix(name) not in offered
        and not members[name].table
    ]
    return chosen, [*missing, *_unknown(unknown, members, claimed)]


def has_validation(
    members: Mapping[str, Member],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Sources = MappingProxyType({}),
) -> bool:
    """Return True where the data has a validation part of every input and target."""
    claims = claims_of(inputs, outputs, names, required=True)
    return all(_marked(members, claim) for claim in claims if claim.required)


def marked_arrays(chosen: Mapping[str, Member], names: Sources) -> str:
    """Return the names of the arrays in use, if a suffix decided for one of them; else empty."""
    by_suffix = any(
        member.name != own_name(key, names) and stem_of(member.name) != member.name
        for key, member in chosen.items()
    )
    used = dict.fromkeys(member.name for member in chosen.values())  # an autoencoder's has two uses
    return ", ".join(used) if by_suffix else ""


def _marked(members: Mapping[str, Member], claim: Claim) -> bool:
    return any(
        candidate in members
        for name in claim.stems
        for candidate in claim.marked(name, "validation")
    )


def _half_a_validation_part(
    members: Mapping[str, Member], claims: Sequence[Claim]
) -> list[Diagnostic]:
    required = [claim for claim in claims if claim.required]
    marked = [claim for claim in required if _marked(members, claim)]
    if not marked or len(marked) == len(required):
        return []
    present = next(
        name
        for claim in marked
        for stem in claim.stems
        for name in claim.marked(stem, "validation")
        if name in members
    )
    lacking = next(claim for claim in required if claim not in marked)
    message = (
        f"the data has {present}, but no {lacking.stems[0]}_{SUFFIXES['validation'][0]}: "
        "its validation part is not used"
    )
    file = str(members[present].file)
    return [Diagnostic("missing-array", message, severity="warning", file=file)]


def _find(members: Mapping[str, Member], names: Iterable[str]) -> Member | None:
    return next((members[name] for name in names if name in members), None)


def _missing(
    claim: Claim, members: Mapping[str, Member], free: Sequence[str], part: Part
) -> Diagnostic:
    wanted = " or ".join(claim.stems)
    stranded = _find(members, (name for other in SUFFIXES for name in claim.variants(other)))
    if stranded:
        used = f"{stem_of(stranded.name)}_{SUFFIXES[part][0]}"
        does = _PHASES[part]
        message = (
            f"the data has {stranded.name}, but {does} needs {used} or {stem_of(stranded.name)}"
        )
        hint: str | None = f"add array {used}, or rename {stranded.name}"
    else:
        message = f"the data has no array {wanted}; it has {_listed(members)}"
        hint = _how_to_match(claim, free)
    return Diagnostic("missing-array", message, claim.route, claim.anchor, hint=hint)


def _how_to_match(claim: Claim, free: Sequence[str]) -> str | None:
    prefixed = next((name for name in free if _without_prefix(name) in claim.stems), None)
    if prefixed is not None:
        return _part_last(prefixed)
    near = _nearest(claim, free)
    if "[" in claim.key or claim.route[:1] == ("data",):
        return offer(near) if near else None
    fix = f"data: {{{claim.key}: {near or 'ARRAY'}}} matches it"
    return f"{offer(near)} {fix}" if near else f"where it has another name, {fix}"


def _nearest(claim: Claim, free: Sequence[str]) -> str | None:
    """Return the unused array with the nearest name, without its part; None if none is near."""
    if any(_without_prefix(name) in claim.stems for name in free):
        return next(stem for stem in claim.stems if stem in map(_without_prefix, free))
    return nearest(claim.stems[0], sorted(set(map(stem_of, free))))


def _without_prefix(name: str) -> str | None:
    """Return the name after a part that stands first, as in ``train_x``; None without one."""
    part, _, rest = name.partition("_")
    return rest if rest and any(part in suffixes for suffixes in SUFFIXES.values()) else None


def _part_last(name: str) -> str:
    part, _, rest = name.partition("_")
    return f"save {name} as {rest}_{part}: the part stands after the name"


def _listed(members: Mapping[str, Member]) -> str:
    names = list(members)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more if names else "no arrays at all"


def _intended(name: str, lacking: Sequence[str]) -> str | None:
    """Return a hint with the array that was meant; equal suffixes alone are not enough."""
    if f"{_without_prefix(name)}_{name.partition('_')[0]}" in lacking:
        return _part_last(name)
    near = nearest(name, lacking)
    return offer(near) if near and nearest(stem_of(name), [stem_of(near)]) else None


def _unknown(
    names: Sequence[str], members: Mapping[str, Member], claimed: Iterable[str]
) -> list[Diagnostic]:
    lacking = sorted(set(claimed) - members.keys())  # a name in the data is not a typing error
    problems = [
        Diagnostic(
            "unknown-array",
            f"array {name} belongs to no input or output and is not used",
            severity="warning",
            hint=_intended(name, lacking),
            file=str(members[name].file),
        )
        for name in names[:_LISTED]
    ]
    if len(names) > _LISTED:
        message = f"{len(names) - _LISTED} more arrays belong to no input or output"
        file = str(members[names[-1]].file)
        problems.append(Diagnostic("unknown-array", message, severity="warning", file=file))
    return problems

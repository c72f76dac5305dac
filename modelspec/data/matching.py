"""Names of a spec, matched to the names of arrays, and to the parts of a data set."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final, Literal

from modelspec.data.npz import Member
from modelspec.language.columns import ColumnSource, Source
from modelspec.problems.diagnostic import Anchor, Diagnostic, Route, nearest, offer

Part = Literal["train", "validation", "test"]
Targets = Literal["required", "optional"]

SUFFIXES: Final[Mapping[Part, tuple[str, ...]]] = {
    "train": ("train",),
    "validation": ("val", "valid", "validation"),
    "test": ("test",),
}
"""Suffixes that mark the part of an array, as in ``x_train``; the first that occurs counts."""

_PHASES: Final[Mapping[Part, str]] = {
    "train": "training",
    "validation": "validation",
    "test": "evaluation",
}

GROUPS: Final = "validation_split.groups"
"""The key of the array that tells each sample's group; no input or output has such a name."""

_LISTED = 10


def weight_key(output: str) -> str:
    """The name under which ``match`` and ``Dataset.array_names`` keep the weights of ``output``."""
    return f"{output}_weight"


Sources = Mapping[str, Source]
"""``data`` of a spec: the arrays of names that have others in the data."""


def part_key(name: str, position: int) -> str:
    """The key of an array that is stacked with others under ``name``."""
    return f"{name}[{position}]"


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
    """Members by the spec's names, inputs first; ``names`` is the spec's ``data``.

    ``others`` are arrays that something else in the spec uses.

    A part that the data does not mark falls back to arrays without a suffix; the validation part
    to the test part first.
    """
    claims = _claims(inputs, outputs, names, required=targets == "required")
    if groups is not None:
        claims.append(_Claim(GROUPS, (groups,), ("training", "validation_split", "groups")))
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
    # An array offered as the right name of a missing one is not reported a second time.
    lacking = (claim for claim in claims if claim.required and claim.key not in chosen)
    offered = {_nearest(claim, free) for claim in lacking}
    # The columns of a table are rarely all for one model.
    unknown = [name for name in free if _stem(name) not in offered and not members[name].table]
    return chosen, [*missing, *_unknown(unknown, members, claimed)]


def has_validation(
    members: Mapping[str, Member],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    names: Sources = MappingProxyType({}),
) -> bool:
    """Whether the data marks a validation part of every input and target."""
    claims = _claims(inputs, outputs, names, required=True)
    return all(_marked(members, claim) for claim in claims if claim.required)


def marked_arrays(chosen: Mapping[str, Member], names: Sources) -> str:
    """The names of the arrays in use, where a suffix decided for one of them; else empty."""
    by_suffix = any(
        member.name != _own_name(key, names) and _stem(member.name) != member.name
        for key, member in chosen.items()
    )
    used = dict.fromkeys(member.name for member in chosen.values())  # an autoencoder's has two uses
    return ", ".join(used) if by_suffix else ""


def own_names(name: str, names: Sources) -> tuple[str, ...]:
    """The arrays that the data has for a name of the spec."""
    source = named(names.get(name, name))
    return source if isinstance(source, tuple) else (_own_name(name, names),)


def named(source: Source) -> str | tuple[str, ...]:
    """The array that a source names, or the arrays that are stacked."""
    return source.column if isinstance(source, ColumnSource) else source


def _own_name(key: str, names: Sources) -> str:
    """The array that ``data`` names for a key, or that is called as the key."""
    name, bracket, position = key.partition("[")
    source = named(names.get(name, name))
    if isinstance(source, str):
        return source
    return source[int(position.rstrip("]"))] if bracket else key


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the spec wants from the data: ``stems`` are array names without part, best first.

    ``others`` are the names that other inputs and outputs have: an array of exactly that name is
    theirs, even where it ends in a suffix.
    """

    key: str
    stems: tuple[str, ...]
    route: Route
    anchor: Anchor = "value"
    required: bool = True
    weight: bool = False
    others: frozenset[str] = frozenset()

    def variants(self, part: Part) -> Iterator[str]:
        """Names of arrays that would do, best first."""
        for name in self.stems:
            yield from self.marked(name, part)
            plain = f"{_stem(name)}_weight" if self.weight else name
            if plain not in self.others:
                yield plain

    def marked(self, name: str, part: Part) -> Iterator[str]:
        """Names of arrays that a suffix assigns to a part."""
        stem = _stem(name)
        for suffix in SUFFIXES[part]:
            if self.weight:
                candidates = (f"{stem}_weight_{suffix}", f"{stem}_{suffix}_weight")
            else:
                candidates = (f"{name}_{suffix}", f"{stem}_{suffix}")
            yield from (candidate for candidate in candidates if candidate not in self.others)


def _claims(
    inputs: Sequence[str], outputs: Sequence[str], names: Sources, *, required: bool
) -> list[_Claim]:
    single = len(inputs) == 1 and len(outputs) == 1
    taken = {*inputs, *outputs}

    def stems(name: str, short: str) -> tuple[str, ...]:
        if name in names:
            return (_own_name(name, names),)
        # A spec that itself calls something x means that one by it.
        return (name, short) if single and short not in taken else (name,)

    def claim(
        name: str, short: str, route: Route, anchor: Anchor, *, needed: bool
    ) -> Iterator[_Claim]:
        source = named(names[name]) if name in names else None
        if isinstance(source, tuple):
            inside = ("column",) if isinstance(names[name], ColumnSource) else ()
            for position, column in enumerate(source):
                place = ("data", name, *inside, position)
                yield _Claim(part_key(name, position), (column,), place, required=needed)
            return
        if source is not None:
            route, anchor = ("data", name), "value"
        yield _Claim(name, stems(name, short), route, anchor, required=needed)

    claims = [
        claimed
        for name in inputs
        for claimed in claim(name, "x", ("inputs", name), "key", needed=True)
    ]
    for name in outputs:
        claims += claim(name, "y", ("outputs",), "value", needed=required)
        key = weight_key(name)
        if key in names:
            claims += claim(key, key, ("data", key), "value", needed=required)
        elif key not in taken:
            claims.append(_Claim(key, stems(name, "y"), (), required=False, weight=True))
    # The short names x and y give way to every array that the spec itself names.
    exact = {_own_name(claim.key, names) for claim in claims if not claim.weight}
    return [replace(claim, others=frozenset(exact - {*claim.stems})) for claim in claims]


def _marked(members: Mapping[str, Member], claim: _Claim) -> bool:
    return any(
        candidate in members
        for name in claim.stems
        for candidate in claim.marked(name, "validation")
    )


def _half_a_validation_part(
    members: Mapping[str, Member], claims: Sequence[_Claim]
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


def _stem(name: str) -> str:
    """A name without the suffix of a part."""
    stem, _, suffix = name.rpartition("_")
    return stem if stem and any(suffix in part for part in SUFFIXES.values()) else name


def _find(members: Mapping[str, Member], names: Iterable[str]) -> Member | None:
    return next((members[name] for name in names if name in members), None)


def _missing(
    claim: _Claim, members: Mapping[str, Member], free: Sequence[str], part: Part
) -> Diagnostic:
    wanted = " or ".join(claim.stems)
    stranded = _find(members, (name for other in SUFFIXES for name in claim.variants(other)))
    if stranded:
        used = f"{_stem(stranded.name)}_{SUFFIXES[part][0]}"
        does = _PHASES[part]
        message = f"the data has {stranded.name}, but {does} needs {used} or {_stem(stranded.name)}"
        hint: str | None = f"add array {used}, or rename {stranded.name}"
    else:
        message = f"the data has no array {wanted}; it has {_listed(members)}"
        hint = _how_to_match(claim, free)
    return Diagnostic("missing-array", message, claim.route, claim.anchor, hint=hint)


def _how_to_match(claim: _Claim, free: Sequence[str]) -> str | None:
    near = _nearest(claim, free)
    if "[" in claim.key or claim.route[:1] == ("data",):
        return offer(near) if near else None
    fix = f"data: {{{claim.key}: {near or 'ARRAY'}}} matches it"
    return f"{offer(near)} {fix}" if near else f"where it has another name, {fix}"


def _nearest(claim: _Claim, free: Sequence[str]) -> str | None:
    """Of the arrays that nothing claims, the one with the nearest name, without its part."""
    return nearest(claim.stems[0], sorted(set(map(_stem, free))))


def _listed(members: Mapping[str, Member]) -> str:
    names = list(members)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more if names else "no arrays at all"


def _intended(name: str, lacking: Sequence[str]) -> str | None:
    """The hint at the array that the name was meant to be: parts alike are not enough."""
    near = nearest(name, lacking)
    return offer(near) if near and nearest(_stem(name), [_stem(near)]) else None


def _unknown(
    names: Sequence[str], members: Mapping[str, Member], claimed: Iterable[str]
) -> list[Diagnostic]:
    lacking = sorted(set(claimed) - members.keys())  # a name that the data has is no typing error
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

"""The names of arrays that a spec claims from its data, and the parts of a data set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from modelspec.language.columns import ColumnSource, Source
from modelspec.problems.diagnostic import Anchor, Route

Part = Literal["train", "validation", "test"]
Targets = Literal["required", "optional"]
SUFFIXES: Final[Mapping[Part, tuple[str, ...]]] = {
    "train": ("train",),
    "validation": ("val", "valid", "validation"),
    "test": ("test",),
}
"""Suffixes that mark the part of an array, as in ``x_train``; the first that occurs counts."""


GROUPS: Final = "validation_split.groups"
"""The key of the array with each sample's group; no input or output can have such a name."""


def weight_key(output: str) -> str:
    """Return the key for the weights of ``output`` in ``match`` and ``Dataset.array_names``."""
    return f"{output}_weight"


Sources = Mapping[str, Source]
"""``data`` of a spec: the arrays for names that differ in the data."""


def part_key(name: str, position: int) -> str:
    """Return the key of an array that is stacked with others under ``name``."""
    return f"{name}[{position}]"


def own_names(name: str, names: Sources) -> tuple[str, ...]:
    """Return the arrays in the data for a name of the spec."""
    source = named(names.get(name, name))
    return source if isinstance(source, tuple) else (own_name(name, names),)


def named(source: Source) -> str | tuple[str, ...]:
    """Return the array that a source names, or the arrays that are stacked."""
    return source.column if isinstance(source, ColumnSource) else source


def own_name(key: str, names: Sources) -> str:
    """Return the array that ``data`` names for a key, or the key itself."""
    name, bracket, position = key.partition("[")
    source = named(names.get(name, name))
    if isinstance(source, str):
        return source
    return source[int(position.rstrip("]"))] if bracket else key


@dataclass(frozen=True, slots=True)
class Claim:
    """An array that the spec needs: ``stems`` are its names without the part, best first.

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
        """Yield the acceptable names of arrays, best first."""
        for name in self.stems:
            yield from self.marked(name, part)
            plain = f"{stem_of(name)}_weight" if self.weight else name
            if plain not in self.others:
                yield plain

    def marked(self, name: str, part: Part) -> Iterator[str]:
        """Yield the names of arrays that a suffix assigns to a part."""
        stem = stem_of(name)
        for suffix in SUFFIXES[part]:
            if self.weight:
                candidates = (f"{stem}_weight_{suffix}", f"{stem}_{suffix}_weight")
            else:
                candidates = (f"{name}_{suffix}", f"{stem}_{suffix}")
            yield from (candidate for candidate in candidates if candidate not in self.others)


def claims_of(
    inputs: Sequence[str], outputs: Sequence[str], names: Sources, *, required: bool
) -> list[Claim]:
    single = len(inputs) == 1 and len(outputs) == 1
    taken = {*inputs, *outputs}

    def stems(name: str, short: str) -> tuple[str, ...]:
        if name in names:
            return (own_name(name, names),)
        # A spec that has an input named x means that input.
        return (name, short) if single and short not in taken else (name,)

    def claim(
        name: str, short: str, route: Route, anchor: Anchor, *, needed: bool
    ) -> Iterator[Claim]:
        source = named(names[name]) if name in names else None
        if isinstance(source, tuple):
            inside = ("column",) if isinstance(names[name], ColumnSource) else ()
            for position, column in enumerate(source):
                place = ("data", name, *inside, position)
                yield Claim(part_key(name, position), (column,), place, required=needed)
            return
        if source is not None:
            route, anchor = ("data", name), "value"
        yield Claim(name, stems(name, short), route, anchor, required=needed)

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
            claims.append(Claim(key, stems(name, "y"), (), required=False, weight=True))
    # The short names x and y are used only for arrays that the spec does not name.
    exact = {own_name(claim.key, names) for claim in claims if not claim.weight}
    return [replace(claim, others=frozenset(exact - {*claim.stems})) for claim in claims]


def stem_of(name: str) -> str:
    """Return a name without the suffix of a part."""
    stem, _, suffix = name.rpartition("_")
    return stem if stem and any(suffix in part for part in SUFFIXES.values()) else name

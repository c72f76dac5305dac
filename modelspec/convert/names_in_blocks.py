"""Names of items in blocks and repeats, from the names of the saved layers."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelspec.convert.drafts import Path, Step
from modelspec.convert.labels import auto_base, is_name, valid_name

_SEPARATOR = re.compile(r"[_./-]")
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class LocalNames:
    """The names of the items in a block, whether each is free, and the names of its uses."""

    names: tuple[str, ...]
    free: tuple[bool, ...]
    uses: tuple[str | None, ...]


def local_names(groups: Sequence[Sequence[Step]]) -> LocalNames:
    """Split ``a_conv``, ``a_bn``, ``b_conv``, ``b_bn``: uses ``a`` and ``b`` of ``conv``, ``bn``.

    If a few groups have other names, the block gets those of most groups.
    """
    kept = [place for place, step in enumerate(groups[0]) if step.weights()]
    endings: Counter[tuple[str, ...]] = Counter()
    possible = [dict(_endings(group, kept)) for group in groups]
    for names_by_ending in possible:
        endings.update(names_by_ending.keys())
    best = max(endings, key=lambda ends: (endings[ends], -sum(map(len, ends))), default=None)
    if best is None or endings[best] < 2:  # noqa: PLR2004 - a name that two groups share
        plain = tuple(auto_base(step.type) for step in groups[0])
        return LocalNames(plain, (True,) * len(plain), (None,) * len(groups))
    prefixes = [names_by_ending.get(best) for names_by_ending in possible]
    uses = tuple(prefix[:-1] if prefix else None for prefix in prefixes)
    place = next(number for number, prefix in enumerate(prefixes) if prefix)
    prefix = prefixes[place] or ""
    names = [
        _local(step.name.removeprefix(prefix))
        if step.name.startswith(prefix)
        else auto_base(step.type)
        for step in groups[place]
    ]
    return LocalNames(tuple(names), tuple(number not in kept for number in range(len(names))), uses)


def _endings(group: Sequence[Step], kept: Sequence[int]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the rest of a group's names after each common prefix, and the prefix."""
    if not kept or any(group[place].free for place in kept):
        return
    names = [group[place].name for place in kept]
    for prefix in _beginnings(names):
        if is_name(prefix[:-1]):
            yield tuple(name.removeprefix(prefix) for name in names), prefix


def is_named_apart(groups: Sequence[Sequence[Step]], around: Sequence[Sequence[Step]]) -> bool:
    """Return True where each group has a prefix of names of its own, and differs only in that.

    ``around`` are all the steps of the scope of each group.
    """
    kept = [place for place, step in enumerate(groups[0]) if not step.free]
    if not kept or any(group[place].free for group in groups for place in kept):
        return False
    return any(
        all(
            sum(step.name.startswith(prefix) for step in steps if not step.free) == len(kept)
            for prefix, steps in zip(prefixes, around, strict=True)
        )
        for prefixes in _prefixes(groups, kept)
        if _agree(groups, kept, prefixes)
    )


def _prefixes(groups: Sequence[Sequence[Step]], kept: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Yield prefixes that all names of a group have, the longest first."""
    beginnings = [list(_beginnings([group[place].name for place in kept])) for group in groups]
    depth = min(map(len, beginnings))
    for back in range(depth):
        # Names of all groups have as many parts after it.
        yield tuple(of_step[back] for of_step in beginnings)


def _beginnings(names: Sequence[str]) -> Iterator[str]:
    first = min(names, key=len)
    cuts = [match.start() for match in _SEPARATOR.finditer(first)]
    for cut in reversed(cuts):
        start = first[: cut + 1]
        if cut and all(name.startswith(start) and name != start for name in names):
            yield start


def _agree(groups: Sequence[Sequence[Step]], kept: Sequence[int], prefixes: Sequence[str]) -> bool:
    ends = [
        [group[place].name.removeprefix(prefix) for place in kept]
        for group, prefix in zip(groups, prefixes, strict=True)
    ]
    return all(row == ends[0] for row in ends) and len(set(prefixes)) == len(prefixes)


def _local(end: str) -> str:
    """Convert ``1_conv`` to ``conv_1``, because a name begins with a letter."""
    number = re.match(r"(\d+)_(.+)", end)
    if number and is_name(f"{number[2]}_{number[1]}"):
        return f"{number[2]}_{number[1]}"
    return valid_name(end)


def inner_weights(
    steps: Sequence[Step], group: Sequence[Step]
) -> tuple[tuple[int, Path, str], ...]:
    """Return the saved layers that one use of a block replaces; ``steps`` are the block's."""
    return tuple(
        (0, ((step.id, call), *path), theirs)
        for step, used in zip(steps, group, strict=True)
        for call, path, theirs in used.weights()
    )


def name_pattern(names: Sequence[str]) -> str | None:
    """Return ``conv${i + 1}`` for ``conv1``, ``conv2``, ``conv3``; None for other names."""
    if not all(map(is_name, names)):
        return None
    for match in reversed(list(_NUMBERS.finditer(names[0]))):
        if len(match[0]) > 9 or (match[0] != "0" and match[0].startswith("0")):  # noqa: PLR2004 - digits
            continue
        before, after, first = names[0][: match.start()], names[0][match.end() :], int(match[0])
        if all(name == f"{before}{first + place}{after}" for place, name in enumerate(names)):
            return f"{before}${{i{f' + {first}' if first else ''}}}{after}"
    return None

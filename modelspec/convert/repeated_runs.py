"""Runs of atoms that occur more than once, and the lines that a block of them saves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelspec.convert.atoms import Atom
from modelspec.convert.drafts import Body, Step
from modelspec.convert.names_in_blocks import is_named_apart, local_names

_MANY, _LONGEST, _LONGEST_OF_MANY = 1_000, 48, 12
_HEADER = 5
"""Lines of a block besides its layers: name, params, inputs, layers and outputs."""

_NAMED_APART = 8
"""The lines that a block is worth if its names show that the author had it in mind."""

_RENAMED = 0.4
"""The lines for the name of a layer in the file of the weights."""


@dataclass(frozen=True, slots=True)
class Run:
    """Steps that occur several times: those of each place, in its body."""

    groups: tuple[tuple[Step, ...], ...]
    bodies: tuple[Body, ...]
    saving: int


def best_run(atoms: Sequence[Atom]) -> Run | None:
    """Return the run that saves most lines."""
    kinds = [atom.kind for atom in atoms]
    best: Run | None = None
    longest = _LONGEST if len(atoms) < _MANY else _LONGEST_OF_MANY
    for length in range(1, min(longest, len(atoms) // 2) + 1):
        places: dict[tuple[int, ...], list[int]] = {}
        for start in range(len(kinds) - length + 1):
            places.setdefault(tuple(kinds[start : start + length]), []).append(start)
        for overlapping in places.values():
            starts = _apart(overlapping, length)
            if len(starts) > 1 and (run := _weighed(atoms, starts, length, best)):
                best = run
    return best


def _apart(starts: Sequence[int], length: int) -> list[int]:
    """Return those of the places that do not overlap, from the left."""
    kept: list[int] = []
    for start in starts:
        if not kept or start >= kept[-1] + length:
            kept.append(start)
    return kept


def _weighed(
    atoms: Sequence[Atom], starts: Sequence[int], length: int, best: Run | None
) -> Run | None:
    """Return the run at some places, if it saves more lines than the best one so far.

    A chain of equal uses takes one line.
    """
    groups = tuple(
        tuple(step for atom in atoms[start : start + length] for step in atom.steps)
        for start in starts
    )
    size = len(groups[0])
    bodies = tuple(atoms[start].body for start in starts)
    if size < 2 or any(len(body.steps) == size for body in bodies):  # noqa: PLR2004 - a block of one
        return None
    uses = 1
    for place in range(1, len(starts)):
        chained = starts[place] == starts[place - 1] + length
        uses += not (chained and _values(groups[place]) == _values(groups[place - 1]))
    saving = (len(starts) - 1) * size - _HEADER - uses
    least = best.saving if best else 0
    if saving <= 0 or saving + _NAMED_APART <= least:
        return None
    saving -= int(_RENAMED * _renamed(groups))
    if is_named_apart(groups, [body.steps for body in bodies]):
        saving += _NAMED_APART
    return Run(groups, bodies, saving) if saving > least else None


def _renamed(groups: Sequence[Sequence[Step]]) -> int:
    """Count the layers with weights whose names do not follow from the use of a block."""
    uses = local_names(groups).uses
    lost = (group for group, use in zip(groups, uses, strict=True) if use is None)
    return sum(bool(step.weights()) for group in lost for step in group)


def _values(group: Sequence[Step]) -> list[Any]:
    return [step.arguments for step in group]

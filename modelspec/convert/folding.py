"""Repeated structure → blocks and ``repeat``, where that makes a spec shorter.

A list of items is cut where a single tensor goes from one side to the other. Between two cuts
stands an *atom*: a layer, or a branch and what joins it again. Of all runs of atoms that occur more
than once, differing in nothing but values, the one that saves most lines becomes a block; its uses
are atoms in turn, and so are the items of blocks.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelspec.convert.drafts import Block, Body, Path, Step
from modelspec.convert.names_in_blocks import (
    inner_weights,
    is_named_apart,
    local_names,
    name_pattern,
)
from modelspec.convert.saved_graph import Ref
from modelspec.convert.unify import Default, Parameters, copied, redirected

MAX_ATOMS = 2_500
_MANY, _LONGEST, _LONGEST_OF_MANY = 1_000, 48, 12
_ROUNDS = 16
_HEADER = 5
"""Lines of a block besides its layers: name, params, inputs, layers and outputs."""

_NAMED_APART = 8
"""What it is worth in lines that a block is one that the author of the names had in mind."""

_RENAMED = 0.4
"""The lines that it takes to tell the name of a layer in the file of the weights."""

_LEAST_REPEATS = 3
"""How many equal layers in a row are written as one; two people write out."""


@dataclass(frozen=True, slots=True)
class _Atom:
    body: Body
    steps: tuple[Step, ...]
    kind: int


@dataclass(frozen=True, slots=True)
class _Run:
    """What occurs several times: the steps of each place, in its body."""

    groups: tuple[tuple[Step, ...], ...]
    bodies: tuple[Body, ...]
    saving: int


@dataclass
class Folder:
    """Folds the bodies of one draft; ``blocks`` receives what it finds.

    ``moved`` says where the items are that have become a part of a block.
    """

    blocks: dict[str, Block]
    default: Default
    is_taken: Callable[[str], bool]
    next_id: Callable[[], int]
    moved: dict[int, Path] = field(default_factory=dict)
    _kinds: dict[Any, int] = field(default_factory=dict)

    def fold(self, body: Body) -> None:
        for _ in range(_ROUNDS):
            bodies = [body, *(block.body for block in self.blocks.values())]
            atoms = [atom for unfolded in bodies for atom in self.atoms(unfolded)]
            if len(atoms) > MAX_ATOMS:
                break
            run = self.best(atoms)
            if run is None or not self.replace(run):
                break
        for unfolded in (body, *(block.body for block in self.blocks.values())):
            self.repeat(unfolded)

    def atoms(self, body: Body) -> list[_Atom]:
        """The items of a body between cuts."""
        last_use: dict[Any, int] = {}
        for position, step in enumerate(body.steps):
            for ref in step.refs():
                last_use[ref.source] = position
        for _, ref in body.outputs:
            last_use[ref.source] = len(body.steps)
        shared = {step.owner for step in body.steps}
        atoms: list[_Atom] = []
        begun: list[Step] = []
        entry: Any = body.inputs[0] if len(body.inputs) == 1 else None
        older = max((last_use.get(name, -1) for name in body.inputs), default=-1)
        for position, step in enumerate(body.steps):
            begun.append(step)
            if older <= position:
                atoms.append(self.atom(begun, body, entry, shared))
                begun, entry = [], step.id
            older = max(older, last_use.get(step.id, -1))
        if begun:
            atoms.append(self.atom(begun, body, None, shared))
        # No run goes from one body to the next.
        atoms.append(_Atom(body, (), self._kinds.setdefault(object(), len(self._kinds))))
        return atoms

    def atom(self, steps: Sequence[Step], body: Body, entry: Any, shared: set[int | None]) -> _Atom:
        offsets = {step.id: place for place, step in enumerate(steps)}

        def place(ref: Ref) -> Any:
            if ref.source == entry:
                return "in"
            return offsets.get(ref.source) if isinstance(ref.source, int) else None

        shape: list[Any] = []
        for step in steps:
            wiring = [
                (key, tuple(map(place, source)) if isinstance(source, tuple) else place(source))
                for key, source in step.sources.items()
            ]
            shape.append(
                (step.type, step.repeat, repr(wiring), repr(step.call), repr(step.options))
            )
        simple = all(
            step.owner is None and step.id not in shared and step.gap is None and step.results == 1
            and all(place(ref) is not None for ref in step.refs())
            for step in steps
        )  # fmt: skip
        key: Any = tuple(shape) if simple else object()
        return _Atom(body, tuple(steps), self._kinds.setdefault(key, len(self._kinds)))

    def best(self, atoms: Sequence[_Atom]) -> _Run | None:
        """The run that saves most lines."""
        kinds = [atom.kind for atom in atoms]
        best: _Run | None = None
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

    def replace(self, run: _Run) -> bool:
        """Make the block of a run, and put its uses in the place of the items."""
        parameters = Parameters(self.default)
        arguments = [parameters.arguments(column) for column in zip(*run.groups, strict=True)]
        if any(values is None for values in arguments):
            return False
        first = run.groups[0]
        ids = {step.id: self.next_id() for step in first}
        names = local_names(run.groups)
        steps = [
            replace(
                copied(step, ids, values or {}),
                name=names.names[place],
                free=names.free[place],
            )
            for place, (step, values) in enumerate(zip(first, arguments, strict=True))
        ]
        name = self.block_name(first)
        body = Body(["x"], steps, [("out", Ref(ids[first[-1].id]))], "name")
        self.blocks[name] = Block(name, body, tuple(parameters.columns))
        for place, (group, outer) in enumerate(zip(run.groups, run.bodies, strict=True)):
            values = {key: column[place] for key, column in parameters.columns.items()}
            self.put(outer, group, self.use(name, group, values, names.uses[place]))
        return True

    def use(
        self, block: str, group: Sequence[Step], values: dict[str, Any], name: str | None
    ) -> Step:
        """The item that uses a block in the place of a group."""
        internal = {step.id for step in group}
        entry = next(ref for step in group for ref in step.refs() if ref.source not in internal)
        steps = self.blocks[block].body.steps
        use = Step(
            self.next_id(),
            block,
            values,
            {None: entry},
            name or block,
            free=name is None,
            weighted=any(step.weighted for step in group),
            inner=inner_weights(steps, group),
        )
        for step, inside in zip(group, steps, strict=True):
            self.moved[step.id] = ((use.id, 0), (inside.id, 0))
        return use

    def put(self, body: Body, group: Sequence[Step], use: Step) -> None:
        """Put a use in the place of a group, whose last result is the use's."""
        place = body.steps.index(group[0])
        body.steps[place : place + len(group)] = [use]
        redirected(body, {group[-1].id: use.id})

    def block_name(self, group: Sequence[Step]) -> str:
        types = {step.type for step in group}
        kept = next((name for name in _NAMED_AFTER if any(name in kind for kind in types)), "")
        base = f"{kept.lower()}_block" if kept else "block"
        if types & {"Add", "ops.add"}:
            base = "residual"
        elif "Concatenate" in types:
            base = "joined"
        elif types & set(self.blocks):
            base = "stage"
        name, number = base, 1
        while name in self.blocks or self.is_taken(name):
            number += 1
            name = f"{base}_{number}"
        return name

    def repeat(self, body: Body) -> None:
        """Write equal items in a row once, with ``repeat``."""
        shared = {step.owner for step in body.steps}
        steps: list[Step] = []
        ends: dict[int, int] = {}
        for run in _equal_runs(body.steps, shared):
            least = 2 if run[0].type in self.blocks else _LEAST_REPEATS
            merged = _merged(run, self.next_id()) if len(run) >= least else None
            steps += [merged] if merged else run
            if merged:
                ends[run[-1].id] = merged.id
                self.moved |= {step.id: ((merged.id, n),) for n, step in enumerate(run)}
        body.steps = steps
        redirected(body, ends)


_NAMED_AFTER = ("Conv", "Attention", "LSTM", "GRU", "Dense")


def _apart(starts: Sequence[int], length: int) -> list[int]:
    """Those of the places that do not overlap, from the left."""
    kept: list[int] = []
    for start in starts:
        if not kept or start >= kept[-1] + length:
            kept.append(start)
    return kept


def _weighed(
    atoms: Sequence[_Atom], starts: Sequence[int], length: int, best: _Run | None
) -> _Run | None:
    """The run at some places, where it saves more lines than the best one so far.

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
    return _Run(groups, bodies, saving) if saving > least else None


def _renamed(groups: Sequence[Sequence[Step]]) -> int:
    """The layers with weights whose names do not follow from the use of a block."""
    uses = local_names(groups).uses
    lost = (group for group, use in zip(groups, uses, strict=True) if use is None)
    return sum(bool(step.weights()) for group in lost for step in group)


def _values(group: Sequence[Step]) -> list[Any]:
    return [step.arguments for step in group]


def _equal_runs(steps: Sequence[Step], shared: set[int | None]) -> Iterator[list[Step]]:
    """Items in a row, each called on the one above with the same arguments."""
    run: list[Step] = []
    for step in steps:
        if run and _continues(run[-1], step, shared):
            run.append(step)
        else:
            if run:
                yield run
            run = [step]
    if run:
        yield run


def _continues(above: Step, step: Step, shared: set[int | None]) -> bool:
    alike = (above.type, above.arguments, above.call, above.options) == (
        step.type, step.arguments, step.call, step.options,
    )  # fmt: skip
    plain = all(
        item.results == 1 and item.owner is None and item.gap is None and item.id not in shared
        and item.repeat == 1
        for item in (above, step)
    )  # fmt: skip
    return alike and plain and dict(step.sources) == {None: Ref(above.id)}


def _merged(run: Sequence[Step], number: int) -> Step | None:
    """One item for a run, under a new id; None where its names do not count."""
    free = all(step.free for step in run)
    pattern = None if free else name_pattern([step.name for step in run])
    if not free and pattern is None:
        return None
    return replace(
        run[0],
        id=number,
        name=pattern or run[0].name,
        names=() if free else tuple(step.name for step in run),
        repeat=len(run),
        inner=tuple(
            (number, path, theirs)
            for number, step in enumerate(run)
            for _, path, theirs in step.weights()
        ),
    )

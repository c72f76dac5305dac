"""Repeated structure → blocks and ``repeat``, where that makes a spec shorter.

A list of items is cut where a single tensor connects both sides. The items between two cuts are an
*atom*: a layer, or branches up to the layer that joins them. Of all runs of atoms that occur more
than once and differ only in values, the one that saves most lines becomes a block. Its uses are
atoms too, and the items of blocks are folded in the same way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelspec.convert.atoms import AtomCutter
from modelspec.convert.drafts import Block, Body, Path, Step
from modelspec.convert.names_in_blocks import LocalNames, inner_weights, local_names
from modelspec.convert.repeated_runs import Run, best_run
from modelspec.convert.repeats import equal_runs, merged
from modelspec.convert.saved_graph import Ref
from modelspec.convert.unify import Default, Parameters, copied, redirected

MAX_ATOMS = 2_500
_ROUNDS = 16

_LEAST_REPEATS = 3
"""The number of equal layers in a row that become one item; people write two in full."""


@dataclass
class Folder:
    """Folds the bodies of one draft; new blocks are added to ``blocks``.

    ``moved`` is the place of each item that became a part of a block.
    """

    blocks: dict[str, Block]
    default: Default
    is_taken: Callable[[str], bool]
    next_id: Callable[[], int]
    moved: dict[int, Path] = field(default_factory=dict)
    _cutter: AtomCutter = field(default_factory=AtomCutter)

    def fold(self, body: Body) -> None:
        for _ in range(_ROUNDS):
            bodies = [body, *(block.body for block in self.blocks.values())]
            atoms = [atom for unfolded in bodies for atom in self._cutter.atoms(unfolded)]
            if len(atoms) > MAX_ATOMS:
                break
            run = best_run(atoms)
            if run is None or not self.replace(run):
                break
        for unfolded in (body, *(block.body for block in self.blocks.values())):
            self.repeat(unfolded)

    def replace(self, run: Run) -> bool:
        """Create the block of a run, and replace its items by uses of the block."""
        parameters = Parameters(self.default)
        arguments = [parameters.arguments(column) for column in zip(*run.groups, strict=True)]
        if any(values is None for values in arguments):
            return False
        names = local_names(run.groups)
        body = self.block_body(run.groups[0], [values or {} for values in arguments], names)
        name = self.block_name(run.groups[0])
        self.blocks[name] = Block(name, body, tuple(parameters.columns))
        for place, (group, outer) in enumerate(zip(run.groups, run.bodies, strict=True)):
            values = {key: column[place] for key, column in parameters.columns.items()}
            self.put(outer, group, self.use(name, group, values, names.uses[place]))
        return True

    def block_body(
        self, group: Sequence[Step], arguments: Sequence[Mapping[str, Any]], names: LocalNames
    ) -> Body:
        """Return the body of a block, from one of the groups that it replaces."""
        ids = {step.id: self.next_id() for step in group}
        steps = [
            replace(copied(step, ids, values), name=name, free=free)
            for step, values, name, free in zip(
                group, arguments, names.names, names.free, strict=True
            )
        ]
        return Body(["x"], steps, [("out", Ref(ids[group[-1].id]))], "name")

    def use(
        self, block: str, group: Sequence[Step], values: dict[str, Any], name: str | None
    ) -> Step:
        """Return the item that uses a block in the place of a group."""
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
        """Replace a group by a use, whose result replaces the group's last one."""
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
        for run in equal_runs(body.steps, shared):
            least = 2 if run[0].type in self.blocks else _LEAST_REPEATS
            chain = merged(run, self.next_id()) if len(run) >= least else None
            steps += [chain] if chain else run
            if chain:
                ends[run[-1].id] = chain.id
                self.moved |= {step.id: ((chain.id, n),) for n, step in enumerate(run)}
        body.steps = steps
        redirected(body, ends)


_NAMED_AFTER = ("Conv", "Attention", "LSTM", "GRU", "Dense")

"""The items of a body, cut at the places where a single tensor connects both sides."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modelspec.convert.drafts import Body, Step
from modelspec.convert.saved_graph import Ref


@dataclass(frozen=True, slots=True)
class Atom:
    """Items between two cuts; ``kind`` is the same number for atoms that differ only in values."""

    body: Body
    steps: tuple[Step, ...]
    kind: int


@dataclass
class AtomCutter:
    """Cuts bodies into atoms, and numbers their kinds."""

    _kinds: dict[Any, int] = field(default_factory=dict)

    def atoms(self, body: Body) -> list[Atom]:
        """Return the items of a body between cuts."""
        last_use = _last_uses(body)
        shared = {step.owner for step in body.steps}
        atoms: list[Atom] = []
        begun: list[Step] = []
        entry: Any = body.inputs[0] if len(body.inputs) == 1 else None
        older = max((last_use.get(name, -1) for name in body.inputs), default=-1)
        for position, step in enumerate(body.steps):
            begun.append(step)
            if older <= position:
                atoms.append(self._atom(begun, body, entry, shared))
                begun, entry = [], step.id
            older = max(older, last_use.get(step.id, -1))
        if begun:
            atoms.append(self._atom(begun, body, None, shared))
        # No run continues from one body in the next.
        atoms.append(Atom(body, (), self._kind(object())))
        return atoms

    def _atom(self, steps: Sequence[Step], body: Body, entry: Any, shared: set[int | None]) -> Atom:
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
        return Atom(body, tuple(steps), self._kind(tuple(shape) if simple else object()))

    def _kind(self, shape: Any) -> int:
        return self._kinds.setdefault(shape, len(self._kinds))


def _last_uses(body: Body) -> dict[Any, int]:
    """Return the position of the last item that uses each tensor; outputs come after all items."""
    last_use: dict[Any, int] = {}
    for position, step in enumerate(body.steps):
        for ref in step.refs():
            last_use[ref.source] = position
    for _, ref in body.outputs:
        last_use[ref.source] = len(body.steps)
    return last_use

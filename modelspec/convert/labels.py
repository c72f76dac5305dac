"""Names for the items of a spec: Keras's own if possible, and only where they are needed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from modelspec.convert.drafts import Body, Step
from modelspec.convert.saved_graph import Ref
from modelspec.graph.naming import AutoNames, snake_case

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_ROUNDS = 8
_STATES = ("output", "state_h", "state_c")


@dataclass(slots=True)
class Labels:
    """The names in one scope.

    ``names`` are those of steps, ``calls`` those of each call of a repeated step, ``parts`` those
    of several results, ``written`` the steps whose name is written in the spec.
    """

    names: dict[int, str]
    calls: dict[int, tuple[str, ...]]
    parts: dict[int, tuple[str, ...]]
    written: set[int]

    def of(self, ref: Ref) -> str:
        if isinstance(ref.source, str):
            return ref.source
        parts = self.parts.get(ref.source)
        return parts[min(ref.index, len(parts) - 1)] if parts else self.names[ref.source]


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def valid_name(text: str) -> str:
    """Return the nearest name that a spec can contain."""
    kept = re.sub(r"[^A-Za-z0-9_-]", "_", text)[:200]
    return kept if is_name(kept) else f"x{kept}" if kept else "x"


def follows(step: Step, above: Step | None, inputs: Sequence[str]) -> bool:
    """Return True where a step's input is the item above, or, for the first, the only input."""
    if set(step.sources) != {None}:
        return False
    source = step.sources[None]
    if above is not None:
        return above.results == 1 and source == Ref(above.id)
    return len(inputs) == 1 and source == Ref(inputs[0])


def auto_base(kind: str) -> str:
    """Return the name that Keras numbers for a layer or operation of a class."""
    return snake_case(kind.rpartition(".")[2])


def choose_labels(body: Body) -> Labels:
    """Choose a name for each step, and the names that must be written."""
    taken = _Taken(body.inputs)
    wanted = {step.id: _wanted(step, taken) for step in body.steps}
    parts = {
        step.id: _parts(step, wanted[step.id], taken) for step in body.steps if step.results > 1
    }
    written = _referenced(body)
    written |= {step.id for step in body.steps if step.names}
    written = {step for step in written if step not in _free_repeats(body.steps)}
    used = {*body.inputs, *(name for names in parts.values() for name in names)}
    calls = _automatic(body.steps, wanted, written, used)
    for _ in range(_ROUNDS):
        wrong = {
            step.id
            for step in body.steps
            if step.id not in written and calls[step.id][-1] != wanted[step.id] and not step.free
        }
        if not wrong:
            break
        written |= wrong
        calls = _automatic(body.steps, wanted, written, used)
    else:
        written |= {step.id for step in body.steps if not step.free}
        calls = _automatic(body.steps, wanted, written, used)
    names = {step: made[-1] for step, made in calls.items()}
    return Labels(names, calls, parts, written)


def _free_repeats(steps: Sequence[Step]) -> set[int]:
    """Return repeated items that need no certain name; a name of their own would be one for all."""
    return {step.id for step in steps if step.repeat > 1 and not step.names}


class _Taken:
    """Used names, each once."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)

    def give(self, name: str) -> str:
        base, number = name, 0
        while name in self._names:
            number += 1
            name = f"{base}_{number}"
        self._names.add(name)
        return name


def _wanted(step: Step, taken: _Taken) -> str:
    if step.names:
        return [taken.give(name) for name in step.names][-1]
    if step.owner is not None:
        return taken.give(f"{valid_name(step.name)}_1")
    return taken.give(valid_name(step.name))


def _parts(step: Step, name: str, taken: _Taken) -> tuple[str, ...]:
    if step.type in ("LSTM", "GRU", "SimpleRNN") and step.results <= len(_STATES):
        ends: Sequence[str] = _STATES[: step.results]
        if step.results == 2:  # noqa: PLR2004 - the output and one state
            ends = ("output", "state")
    else:
        ends = [str(position) for position in range(step.results)]
    return tuple(taken.give(f"{name}_{end}") for end in ends)


def _referenced(body: Body) -> set[int]:
    """Return steps that are named in ``from``, in ``share`` or in ``outputs``."""
    named = {ref.source for _, ref in body.outputs if isinstance(ref.source, int)}
    multiple = {step.id for step in body.steps if step.results > 1}
    above: Step | None = None
    for step in body.steps:
        if step.owner is not None:
            named.add(step.owner)
        if not follows(step, above, body.inputs):
            named |= {ref.source for ref in step.refs() if isinstance(ref.source, int)}
        above = step
    owners = {step.owner for step in body.steps if step.owner is not None}
    return {source for source in named if source not in multiple or source in owners}


def _automatic(
    steps: Sequence[Step], wanted: Mapping[int, str], written: set[int], used: set[str]
) -> dict[int, tuple[str, ...]]:
    """Return the names that a reader of the spec gives to the calls of each step, in its order."""
    taken = {wanted[step.id] for step in steps if step.id in written}
    taken |= {name for step in steps for name in step.names}
    auto = AutoNames({*used, *taken})
    calls: dict[int, tuple[str, ...]] = {}
    for step in steps:
        if step.names:
            calls[step.id] = step.names
        elif step.id in written:
            calls[step.id] = (wanted[step.id],)
        else:
            base, first = auto_base(step.type), 0
            if step.owner is not None:
                base, first = calls.get(step.owner, (wanted[step.owner],))[-1], 1
            calls[step.id] = tuple(auto.give(base, first) for _ in range(step.repeat))
    return calls

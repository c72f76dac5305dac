"""The order of items in which a person would have written them.

Keras saves layers by their distance from the outputs, so that branches alternate. Here each branch
is kept together, which needs the fewest ``from``; numbers in Keras's own names tell which layer was
created first.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from modelspec.convert.drafts import Body, Step
from modelspec.graph.naming import snake_case


def put_in_order(body: Body, cost: Callable[[Sequence[Step]], int]) -> None:
    """Sort the steps of a body in the cheapest of several orders."""
    plain, numbered = _chained(body.steps, ()), _chained(body.steps, _made_before(body.steps))
    candidates: list[Sequence[Step]] = [
        order for order in (numbered, plain, body.steps) if order is not None
    ]
    costs = [cost(order) for order in candidates]
    body.steps = list(candidates[costs.index(min(costs))])


def _made_before(steps: Sequence[Step]) -> list[tuple[int, int]]:
    """Return pairs of steps of one class, the first of which has the smaller number in its name."""
    numbers: dict[str, list[tuple[int, int]]] = {}
    for step in steps:
        base = snake_case(step.type.rpartition(".")[2])
        numbered = re.fullmatch(rf"{re.escape(base)}(?:_(\d{{1,9}}))?", step.name)
        if numbered and step.owner is None:
            numbers.setdefault(base, []).append((int(numbered[1] or 0), step.id))
    return [
        (before, after)
        for counted in numbers.values()
        for (_, before), (_, after) in zip(sorted(counted), sorted(counted)[1:], strict=False)
    ]


def _wires(steps: Sequence[Step]) -> Iterator[tuple[int, int]]:
    """Yield pairs of steps, the second of which needs the first."""
    for step in steps:
        if step.owner is not None:
            yield step.owner, step.id
        yield from ((ref.source, step.id) for ref in step.refs() if isinstance(ref.source, int))


def _chained(steps: Sequence[Step], before: Iterable[tuple[int, int]]) -> list[Step] | None:
    """Place each step right after the last one that it needs, if possible; None in a cycle."""
    position = {step.id: place for place, step in enumerate(steps)}
    followers: dict[int, set[int]] = {step.id: set() for step in steps}
    for first, then in (*_wires(steps), *before):
        followers[first].add(then)
    needs = Counter(follower for waiting_steps in followers.values() for follower in waiting_steps)
    waiting = [step.id for step in reversed(steps) if not needs[step.id]]
    ordered: list[Step] = []
    while waiting:
        step = steps[position[waiting.pop()]]
        ordered.append(step)
        ready = []
        for follower in followers[step.id]:
            needs[follower] -= 1
            if not needs[follower]:
                ready.append(follower)
        ready.sort(key=lambda follower: position[follower], reverse=True)
        # Steps that use this step come next, before those that only waited for its number.
        ready.sort(
            key=lambda follower: any(
                ref.source == step.id for ref in steps[position[follower]].refs()
            )
        )
        waiting.extend(ready)
    return ordered if len(ordered) == len(steps) else None

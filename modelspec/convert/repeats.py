"""Equal items in a row → one item with ``repeat``."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from modelspec.convert.drafts import Step
from modelspec.convert.names_in_blocks import name_pattern
from modelspec.convert.saved_graph import Ref


def equal_runs(steps: Sequence[Step], shared: set[int | None]) -> Iterator[list[Step]]:
    """Yield items in a row, each called on the one above with the same arguments."""
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


def merged(run: Sequence[Step], number: int) -> Step | None:
    """Return one item for a run, under a new id; None if its names have no numbers in order."""
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

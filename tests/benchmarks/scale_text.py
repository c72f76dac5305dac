"""The text of ``modelspec/SCALE.md``, around the figures that ``scale.py`` measures."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelspec.problems.units import size
from modelspec.results import scaling
from modelspec.results.costs import Costs, Exchange, Measured

if TYPE_CHECKING:
    from scale import Operation, Steps

WORKERS = (8, 64, 512)
ROWS = 32
"""Rows of a batch for each worker, in the predictions."""

SPEED = 1e12
"""Operations a second of a worker in the predictions: a machine of about 32 cores."""


def model(name: str, flops: float, exchange: Exchange) -> Costs:
    """Return a model of known size; ``flops`` are those of a sample in training."""
    measured = Measured(1, flops / SPEED)
    return Costs(name, 1, {}, (), 0, 0, None, exchange=exchange, measured=measured)


MODELS = (
    model("`author_profile`, 280 words", 426_328_765, Exchange(5_385_264, 287_888, 1, 5)),
    model(
        "image classifier: 25.6 M weights, 1,000 classes", 24e9, Exchange(102_400_000, 4_000, 1, 1)
    ),
    model(
        "language model: 124 M weights, 1,024 tokens of 50,257 words",
        0.85e12,
        Exchange(498_000_000, 1_024 * 4 * 50_257, 1, 1),
    ),
)

TEMPLATE = Path(__file__).with_name("scale_template.md")


def page(operations: "Sequence[Operation]", steps: "Sequence[Steps]", date: str, how: str) -> str:
    errors = sorted(abs(predicted(single) / single.seconds - 1) for single in operations)
    return TEMPLATE.read_text(encoding="utf-8").format(
        workers="N",
        short=size(scaling.SHORT),
        operation=1e6 * scaling.PER_OPERATION,
        message=1e6 * scaling.PER_MESSAGE,
        byte=1e9 * scaling.PER_BYTE,
        count=len(operations),
        date=date,
        how=how,
        error=errors[len(errors) // 2],
        operations="\n".join(_operation_rows(operations)),
        steps="\n".join(_step_rows(steps)),
        rows=ROWS,
        speed=SPEED / 1e12,
        predictions=prediction_table(),
        ring=1e3 * 2 * 511 * scaling.PER_MESSAGE,
    )


def predicted(operation: "Operation") -> float:
    constants = (scaling.PER_OPERATION, scaling.PER_MESSAGE, scaling.PER_BYTE)
    return sum(term * value for term, value in zip(operation.terms(), constants, strict=True))


def _operation_rows(operations: "Sequence[Operation]") -> Iterator[str]:
    yield "| operation | processes | bytes | measured | predicted |"
    yield "|---|---|---|---|---|"
    for single in operations:
        times = f"{_time(single.seconds)} | {_time(predicted(single))}"
        yield f"| {single.kind} | {single.workers} | {size(single.size)} | {times} |"


def _step_rows(steps: "Sequence[Steps]") -> Iterator[str]:
    yield "| model | processes | measured | predicted | share of communication |"
    yield "|---|---|---|---|---|"
    for single in steps:
        for count, seconds in single.seconds.items():
            step = scaling.predict(single.costs, count, scaling.LOOPBACK)
            guess = _time(single.predicted[count]) if count > 1 else ""
            share = f"{step.communicating / single.predicted[count]:.0%}" if count > 1 else ""
            cells = f"`{single.costs.name}` | {count} | {_time(seconds)} | {guess} | {share}"
            yield f"| {cells} |"


def prediction_table() -> str:
    """Return the figures that follow from the constants alone."""
    header = ["model", "workers", "network", "step", "communication", "efficiency"]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for costs in MODELS:
        for workers in WORKERS:
            for network in scaling.NETWORKS:
                step = scaling.predict(_of_batch(costs, ROWS * workers), workers, network)
                lines.append(
                    f"| {costs.name} | {workers} | {network.name} | {_time(step.seconds)} "
                    f"| {_time(step.communicating)} | {1 - step.share:.0%} |"
                )
    return "\n".join(lines)


def _of_batch(costs: Costs, batch: int) -> Costs:
    return replace(costs, batch_size=batch)


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.4g} s"

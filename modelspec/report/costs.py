"""Costs as text: operations, memory and time."""

from collections.abc import Iterator

from modelspec.problems.units import size
from modelspec.results.costs import Costs
from modelspec.results.scaling import FLOPS, NETWORKS, predict

_PREFIXES = ("", "K", "M", "G", "T", "P")


def operations(count: float) -> str:
    """Format a count with a unit: ``269.4 M``, by powers of 1,000."""
    for prefix in _PREFIXES:
        if count < 1000 or prefix == _PREFIXES[-1]:  # noqa: PLR2004 - the step between units
            return f"{count:.0f}" if not prefix else f"{count:.1f} {prefix}"
        count /= 1000
    raise AssertionError


def _flop(count: float) -> str:
    text = operations(count)
    return f"{text}FLOP" if text[-1].isalpha() else f"{text} FLOP"


def cost_lines(costs: Costs | None) -> Iterator[str]:
    """Yield lines for operations, memory, measured time, and several workers."""
    if costs is None:
        return
    step = costs.batch_size * costs.training_flops
    yield (
        f"arithmetic{_lengths(costs)}: {_flop(costs.flops)} a sample, "
        f"{_flop(costs.training_flops)} in training; "
        f"{_flop(step)} a step of {costs.batch_size:,} samples"
    )
    optimizer = "" if costs.optimizer is None else f", optimizer {size(costs.optimizer)}"
    yield (
        f"memory of a step: parameters {size(costs.parameters)}, gradients {size(costs.gradients)}"
        f"{optimizer}, activations {size(costs.activations)}; {size(costs.bytes)} in all"
    )
    if costs.measured is not None:
        seconds = costs.measured.seconds_per_sample
        yield (
            f"time in an epoch: {1000 * seconds:.3g} s for 1,000 samples, "
            f"{_flop(costs.training_flops / seconds)}/s, "
            f"measured here on {costs.measured.samples:,} random samples"
        )

    yield from _of_workers(costs)


def _of_workers(costs: Costs) -> Iterator[str]:
    """Yield the communication of several workers, and one line for each network."""
    if not costs.workers:
        return
    exchange, batch, count = costs.exchange, costs.batch_size, costs.workers
    speed = "as measured here" if costs.measured else f"at {_flop(FLOPS)}/s a worker"
    gathered = batch * exchange.gathered_per_sample
    yield (
        f"{count} workers sum {size(exchange.summed)} of gradients and gather {size(gathered)} "
        f"in a step of {batch:,} samples; predicted {speed}:"
    )
    for network in NETWORKS:
        step = predict(costs, count, network)
        yield (
            f"  {network.name}: {1000 * step.seconds:.3g} ms a step, {step.share:.0%} of it "
            f"communication; {step.speed_up:.2g} times as fast as one worker"
        )


def _lengths(costs: Costs) -> str:
    named = [f"{name} {list(shape)}" for name, shape in costs.lengths.items()]
    return f" for {', '.join(named)}" if named else ""

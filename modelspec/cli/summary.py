"""``modelspec summary``."""

import json
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import click

from modelspec.api.target import Target, open_target, target_from_bytes
from modelspec.cli.commands import Verb
from modelspec.cli.options import Lengths, format_option, set_option, shape_option
from modelspec.cli.streams import out, say, write
from modelspec.language.document import read_stdin
from modelspec.report.summaries import Shown, print_summary, summary_csv, summary_markdown
from modelspec.results.costs import Costs
from modelspec.results.scaling import predictions_json


@click.command(cls=Verb)
@click.argument("targets", nargs=-1, metavar="[SPEC|MODEL.keras|RUN]...")
@format_option("table", "json", "csv", "markdown")
@set_option
@click.option("--costs", is_flag=True, help="Add the operations and the memory of training.")
@click.option(
    "--batch-size", type=click.IntRange(min=1), help="With --costs: number of samples in a batch."
)
@shape_option("With --costs")
@click.option("--measure", is_flag=True, help="With --costs: train briefly, and measure the time.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="With --costs: predict a step of this number of workers.",
)
@click.option("--nested", is_flag=True, help="Add the layers inside of models that are layers.")
def summary(
    *,
    targets: tuple[str, ...],
    form: str,
    overrides: tuple[str, ...],
    costs: bool,
    batch_size: int | None,
    lengths: Lengths,
    measure: bool,
    workers: int | None,
    nested: bool,
) -> None:
    """Show layers, shapes and parameters; without arguments, read standard input."""
    if not costs and (batch_size or lengths or measure or workers):
        raise click.UsageError("--batch-size, --shape, --measure and --workers need --costs")
    opened = [_open(target, overrides, batch_size) for target in targets or ("-",)]
    # A process that started Keras on JAX cannot train.
    summaries = [target.summary(light=not measure, nested=nested) for target in opened]
    estimates = [_costs(target, lengths, batch_size, measure=measure) for target in opened if costs]
    _check_used(lengths, estimates)
    estimates = [_shared(estimated, workers) for estimated in estimates]
    _show(list(zip_longest(summaries, estimates)), form)


def _open(path: str, overrides: tuple[str, ...], batch_size: int | None) -> Target:
    if batch_size and not path.endswith(".keras"):
        overrides = (*overrides, f"training.batch_size={batch_size}")
    if path == "-":
        return target_from_bytes(read_stdin(), overrides)
    return open_target(path, overrides)


def _costs(target: Target, lengths: Lengths, batch_size: int | None, *, measure: bool) -> Costs:
    from modelspec.api.costs import LengthError, estimate

    try:
        estimated = estimate(target, lengths=lengths, batch_size=batch_size, light=not measure)
    except LengthError as error:
        raise click.UsageError(str(error)) from error
    if not measure:
        return estimated
    if target.source is None:
        raise click.UsageError("--measure trains on random data, which needs a spec")
    from modelspec.api.timing import measure as measure_training

    say(f"training {estimated.name} briefly on random data")
    return replace(estimated, measured=measure_training(target.source, estimated.lengths))


def _shared(costs: Costs, workers: int | None) -> Costs:
    """Return the costs of a batch that several workers share."""
    if workers and workers > costs.batch_size:
        raise click.UsageError(
            f"{workers} workers cannot share a batch of {costs.batch_size} samples (--batch-size)"
        )
    return replace(costs, workers=workers)


def _check_used(lengths: Lengths, estimates: list[Costs]) -> None:
    known = {name for costs in estimates for name in costs.lengths}
    for name in lengths:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise click.UsageError(
                f"--shape {name}: no input of this name has an unknown length; "
                f"inputs with one: {listed}"
            )


def _show(shown: list[Shown], form: str) -> None:
    if form == "json":
        data = [
            model.as_json() | ({"costs": _json(costs)} if costs else {}) for model, costs in shown
        ]
        write(json.dumps(data if len(data) > 1 else data[0], indent=2))
    elif form == "csv":
        write(summary_csv(shown))
    elif form == "markdown":
        write("\n".join(summary_markdown(*pair) for pair in shown))
    else:
        for pair in shown:
            print_summary(out(), *pair)


def _json(costs: Costs) -> dict[str, Any]:
    if not costs.workers:
        return costs.as_json()
    return costs.as_json() | {"workers": predictions_json(costs, costs.workers)}

"""``modelspec balance``."""

from pathlib import Path

import click

from modelspec.api.balance import BATCHES, measure
from modelspec.cli.commands import Verb
from modelspec.cli.options import data_option, format_option, load_spec, note, set_option
from modelspec.cli.streams import out, write
from modelspec.report.balance import balance_json, balance_yaml, print_balance

_MOST = 300


@click.command(cls=Verb)
@click.argument("spec", metavar="SPEC")
@data_option
@click.option(
    "--batches",
    type=click.IntRange(1, _MOST),
    default=BATCHES,
    show_default=True,
    help="Number of training steps before the second measurement.",
)
@format_option("table", "json", "yaml")
@set_option
def balance(
    spec: str, data: tuple[Path, ...], batches: int, form: str, overrides: tuple[str, ...]
) -> None:
    """Measure how much each loss contributes, and loss_weights that balance them."""
    measured = measure(load_spec(spec, overrides), data, batches=batches, say=note)
    if form == "json":
        write(balance_json(measured))
    elif form == "yaml":
        write(balance_yaml(measured))
    else:
        print_balance(out(), measured)

"""``modelspec layers``."""

from typing import cast

import click

from modelspec import catalog
from modelspec.cli.commands import Verb
from modelspec.cli.streams import out
from modelspec.language.loss_weights import STRATEGIES
from modelspec.problems.diagnostic import did_you_mean
from modelspec.report.layers import find_entries, print_entry, print_names
from modelspec.report.strategies import STRATEGY, print_strategies, print_strategy


@click.command(cls=Verb)
@click.argument("name", required=False)
@click.option(
    "--family",
    type=click.Choice((*catalog.FAMILIES, STRATEGY)),
    default="layer",
    show_default=True,
    help="List this family.",
)
def layers(name: str | None, family: str) -> None:
    """List what a spec can contain; with NAME, its arguments, defaults and help."""
    if name is not None and name in STRATEGIES:
        print_strategy(out(), name)
        return
    if name is None and family == STRATEGY:
        print_strategies(out())
        return
    offered = catalog.load()
    if name is None:
        print_names(out(), offered, cast("catalog.Family", family))
        return
    entries = find_entries(offered, name)
    if not entries:
        known = [known for kind in catalog.FAMILIES for known in offered.known(kind)]
        hint = did_you_mean(name, [*known, *STRATEGIES])
        raise click.BadParameter(
            f"Keras has no {name}" + (f": {hint}" if hint else ""), param_hint="NAME"
        )
    for entry in entries:
        print_entry(out(), entry)

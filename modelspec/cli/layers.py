"""``modelspec layers``."""

import click

from modelspec import catalog
from modelspec.cli.streams import out
from modelspec.diagnostics import did_you_mean
from modelspec.report.layers import find_entries, print_entry, print_names


@click.command()
@click.argument("name", required=False)
@click.option(
    "--family",
    type=click.Choice(catalog.FAMILIES),
    default="layer",
    show_default=True,
    help="What to list.",
)
def layers(name: str | None, family: catalog.Family) -> None:
    """List what a spec can write; with NAME, its arguments, defaults and help."""
    offered = catalog.load()
    if name is None:
        print_names(out(), offered, family)
        return
    found = find_entries(offered, name)
    if not found:
        known = (known for each in catalog.FAMILIES for known in offered.known(each))
        hint = did_you_mean(name, known)
        raise click.BadParameter(
            f"Keras offers no {name}" + (f": {hint}" if hint else ""), param_hint="NAME"
        )
    for entry in found:
        print_entry(out(), entry)

"""``modelspec new``."""

import click

from modelspec import templates
from modelspec.cli.streams import write


@click.command(epilog=f"Templates: {', '.join(templates.names())}.")
@click.argument("template", default=templates.DEFAULT, type=click.Choice(templates.names()))
def new(template: str) -> None:
    """Print a commented spec to start from."""
    write(templates.read(template))

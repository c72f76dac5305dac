"""``modelspec schema``."""

import click

from modelspec import catalog
from modelspec.cli.commands import Verb
from modelspec.cli.streams import write
from modelspec.schema import schema_text


@click.command(cls=Verb)
def schema() -> None:
    """Print the JSON Schema of the language, for editors."""
    write(schema_text(catalog.load()))

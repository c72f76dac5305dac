"""``modelspec new``."""

import click

from modelspec.cli import templates
from modelspec.cli.commands import Verb
from modelspec.cli.streams import write

MODELINE = """\
# yaml-language-server: $schema=modelspec.schema.json
# For the line above, create the schema with: modelspec schema > modelspec.schema.json

"""
SOURCES = """\
# The folders specs/ and data/ named below are parts of modelspec's source code; what is installed
# holds the specs, and not the data. Any npz file will do that has an array for each input and each
# output, by its name: `modelspec check SPEC --data FILE.npz` tells what is missing.
#
"""


@click.command(cls=Verb, epilog=f"Templates: {', '.join(templates.names())}.")
@click.argument("template", default=templates.DEFAULT, type=click.Choice(templates.names()))
def new(template: str) -> None:
    """Print a commented spec to start from."""
    write(MODELINE + SOURCES + templates.read(template))

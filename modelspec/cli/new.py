"""``modelspec new``."""

from typing import TYPE_CHECKING

import click

from modelspec.cli import templates
from modelspec.cli.commands import Verb
from modelspec.cli.streams import write
from modelspec.problems.diagnostic import did_you_mean

MODELINE = """\
# yaml-language-server: $schema=modelspec.schema.json
# For the line above, create the schema with: modelspec schema > modelspec.schema.json

"""
SOURCES = """\
# The folders specs/ and data/ below are in modelspec's source code. An installed modelspec has the
# specs, but not the data. Use any npz file that has an array for each input and output, with its
# name: `modelspec check SPEC --data FILE.npz` reports what is missing.
#
"""


if TYPE_CHECKING:
    Choice = click.Choice[str]
else:
    Choice = click.Choice  # generic only since click 8.2


class _Template(Choice):
    """The name of a template; an unknown one gets the nearest as a hint, not all names."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            hint = did_you_mean(value, self.choices) or "modelspec new --help lists them"
            raise click.UsageError(f"unknown template {value}: {hint}", ctx)
        return super().convert(value, param, ctx)


@click.command(cls=Verb, epilog=f"Templates: {', '.join(templates.names())}.")
@click.argument(
    "template",
    default=templates.DEFAULT,
    metavar="[TEMPLATE]",
    type=_Template(templates.names()),
)
def new(template: str) -> None:
    """Print a commented spec to start from."""
    write(MODELINE + SOURCES + templates.read(template))

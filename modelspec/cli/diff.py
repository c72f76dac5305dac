"""``modelspec diff``."""

import json

import click

from modelspec.api.difference import diff as compare
from modelspec.cli.commands import Verb
from modelspec.cli.options import format_option
from modelspec.cli.streams import write
from modelspec.report.difference import difference_markdown, difference_text


@click.command(cls=Verb)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@format_option("text", "json", "markdown")
def diff(a: str, b: str, form: str) -> None:
    """Show the differences in meaning between two specs, models or runs.

    Exits with 0 if there are no differences, and with 1 otherwise.
    """
    difference = compare(a, b, light=True)
    if form == "json":
        write(json.dumps(difference.as_json(), indent=2))
    else:
        write(difference_text(difference) if form == "text" else difference_markdown(difference))
    if not difference.is_empty:
        raise click.exceptions.Exit(1)

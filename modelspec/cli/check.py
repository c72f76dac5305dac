"""``modelspec check``."""

from pathlib import Path

import click

from modelspec.api.reading import load
from modelspec.cli.commands import Verb
from modelspec.cli.options import (
    PATH,
    format_option,
    note,
    set_option,
    show,
    weights_option,
    weights_override,
)
from modelspec.cli.streams import err, write, write_error
from modelspec.report.problems import problems_github, problems_json


@click.command(cls=Verb)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--data",
    type=PATH,
    multiple=True,
    help="Also check this data: an npz file or a table, or a folder of them. Repeatable.",
)
@click.option(
    "--fast", is_flag=True, help="Stop before the checks that need Keras, such as those of shapes."
)
@weights_option
@click.option(
    "--account",
    is_flag=True,
    help="Print the weights that each layer starts from as JSON, and problems to standard error.",
)
@format_option("text", "json", "github")
@set_option
def check(
    *,
    specs: tuple[str, ...],
    data: tuple[Path, ...],
    fast: bool,
    weights: Path | None,
    account: bool,
    form: str,
    overrides: tuple[str, ...],
) -> None:
    """Report every problem of specs, and of data, at once."""
    sources = [load(path, [*overrides, *weights_override(weights, path)]) for path in specs]
    # A process starts Keras once, for all specs.
    light = not any(source.requires_tensorflow for source in sources)
    problems = [
        problem
        for source in sources
        for problem in source.check(data or None, fast=fast, light=light, say=note)
    ]
    failed = any(problem.severity == "error" for problem in problems)
    if account:
        from modelspec.report.weights import accounts_json

        show(problems)
        accounts = (
            [] if failed else [source.account(data or None, light=light) for source in sources]
        )
        write(accounts_json(accounts))
    elif form == "json":
        write(problems_json(problems))
    elif form == "github":
        if problems:
            write(problems_github(problems))
    else:
        show(problems)
        if not problems:
            write_error("no problems\n")
        if not (failed or fast):
            for source in sources:
                if source.starts_from_weights:
                    from modelspec.report.weights import print_account

                    print_account(err(), source.account(data or None, light=light))
    if failed:
        raise click.exceptions.Exit(1)

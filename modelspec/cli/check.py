"""``modelspec check``."""

from pathlib import Path

import click

from modelspec.api.model_spec import load
from modelspec.cli.commands import Verb
from modelspec.cli.options import PATH, format_option, note, set_option, show
from modelspec.cli.streams import err, write
from modelspec.report.problems import problems_github, problems_json


@click.command(cls=Verb)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--data",
    type=PATH,
    multiple=True,
    help="Also check this npz file, or a folder of npz files. Repeatable.",
)
@click.option("--fast", is_flag=True, help="Stop before shapes, and whatever else needs Keras.")
@format_option("text", "json", "github")
@set_option
def check(
    *,
    specs: tuple[str, ...],
    data: tuple[Path, ...],
    fast: bool,
    form: str,
    overrides: tuple[str, ...],
) -> None:
    """Report every problem of specs, and of data, at once."""
    sources = [load(path, overrides) for path in specs]
    # A process starts Keras once, for all of them.
    light = not any(source.requires_tensorflow for source in sources)
    problems = [
        problem
        for source in sources
        for problem in source.check(data or None, fast=fast, light=light, say=note)
    ]
    if form == "json":
        write(problems_json(problems))
    elif form == "github":
        if problems:
            write(problems_github(problems))
    else:
        show(problems)
        if not problems:
            err().print("no problems")
    if any(problem.severity == "error" for problem in problems):
        raise click.exceptions.Exit(1)

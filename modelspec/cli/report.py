"""``modelspec report``."""

from pathlib import Path

import click

from modelspec.api.report import FORMS, make_report
from modelspec.cli.commands import Verb
from modelspec.cli.options import PATH, format_option, note, show
from modelspec.cli.streams import write
from modelspec.runs.layout import REPORT
from modelspec.storage.atomic import replacing

_SUFFIXES = {"html": ".html", "markdown": ".md"}
_COMPARISON = "comparison"


@click.command(cls=Verb)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=PATH)
@click.option(
    "--data",
    type=PATH,
    multiple=True,
    help="Data to evaluate the model on; by default the data of the run. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="FILE",
    help="Output file; by default report.html in the run's folder, and for several runs "
    "comparison.html here. - is standard output.",
)
@format_option(*FORMS)
def report(
    *, runs: tuple[Path, ...], data: tuple[Path, ...], output: Path | None, form: str
) -> None:
    """Write one page about a run, or compare several runs."""
    text = make_report(runs, list(data) or None, form=form, say=note, warn=show)
    if output == Path("-"):
        write(text)
        return
    suffix = _SUFFIXES[form]
    own = (
        runs[0] / Path(REPORT).with_suffix(suffix) if len(runs) == 1 else Path(_COMPARISON + suffix)
    )
    path = output or own
    # In a run's folder, which is not trusted, a link would lead to another file.
    with replacing(path, follow=output is not None) as aside:
        aside.write_text(text, encoding="utf-8", errors="replace")
    write(str(path))

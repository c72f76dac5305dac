"""``modelspec explain``."""

import click

from modelspec import explain as pages
from modelspec.cli.commands import Verb
from modelspec.cli.streams import out, write
from modelspec.problems.diagnostic import did_you_mean
from modelspec.report.table import print_table


@click.command(cls=Verb)
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Explain the CODE of a problem, with a wrong and a right sample; or list all codes."""
    known = pages.codes()
    if code is None:
        rows = [(code_of_page, pages.page(code_of_page).title) for code_of_page in known]
        print_table(out(), ("code", "what"), rows, set(), prose=frozenset({1}))
    elif code in known:
        _show(pages.page(code).text)
    else:
        hint = did_you_mean(code, known) or "modelspec explain lists them"
        raise click.BadParameter(f"unknown code {code}: {hint}", param_hint="CODE")


def _show(text: str) -> None:
    """Print a page on a terminal, and Markdown elsewhere."""
    if not out().is_terminal:
        write(text)
        return
    from rich.markdown import Markdown

    out().print(Markdown(text))

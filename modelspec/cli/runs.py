"""``modelspec runs``."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from modelspec.cli.commands import Verb
from modelspec.cli.streams import out, say, write
from modelspec.problems.diagnostic import did_you_mean
from modelspec.report.table import as_csv, print_table
from modelspec.report.visible import visible
from modelspec.runs.columns import OWN, Row, columns_of, in_order
from modelspec.runs.conditions import Condition, where
from modelspec.runs.listing import find_runs

_DEFAULT = Path("runs")
_SHOWN = ("name", "status", "started", "epochs", "best", "folder")
_FIELDS = (
    *("folder", "name", "status", "started", "seconds", "epochs", "epochs_asked"),
    *("best_epoch", "best_metric", "best_value"),
)


def _conditions(_context: Any, _option: Any, texts: tuple[str, ...]) -> list[Condition]:
    try:
        return [Condition.parse(text) for text in texts]
    except ValueError as error:
        raise click.BadParameter(visible(str(error))) from error


@click.command(cls=Verb)
@click.argument("folder", metavar="[DIR]", default=_DEFAULT, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", "csv")),
    default="table",
    show_default=True,
    help="Output format.",
)
@click.option(
    "--columns",
    metavar="NAME,...",
    help=f"What to show: {', '.join(OWN)}, a metric (of the last epoch), or a parameter, as in "
    "val_loss,params.width. JSON adds them to its keys.",
)
@click.option(
    "--sort",
    metavar="KEY",
    help="The column to sort by, low to high; -KEY is high to low. Missing values come last.",
)
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    callback=_conditions,
    help="Only runs with, for example, 'val_loss<0.5' or status=completed. Repeatable.",
)
def runs(
    *,
    folder: Path,
    form: str,
    columns: str | None,
    sort: str | None,
    conditions: Sequence[Condition],
) -> None:
    """List the runs in and under DIR (runs), newest first, and mark those that died."""
    missing = folder == _DEFAULT and not folder.exists()
    listing, refused = ([], []) if missing else find_runs(folder)
    for reason in refused:
        say(f"warning: {reason}")
    if not listing:
        say(f"no runs in {folder}")
    listed = [Row.of(run) for run in listing]
    chosen = _split(columns)
    _require_known(chosen, listed, "--columns")
    _require_known([condition.column for condition in conditions], listed, "--where")
    rows = where(listed, conditions)
    if listed and not rows:
        say("no run matches")
    if sort is not None:
        key = sort.removeprefix("-")
        _require_known([key], listed, "--sort")
        rows = in_order(rows, key, descending=sort != key)
    _print(rows, chosen, form)


def _print(rows: Sequence[Row], chosen: Sequence[str], form: str) -> None:
    shown = chosen or (_FIELDS if form == "csv" else _SHOWN)
    if form == "json":
        names = dict.fromkeys((*_FIELDS, *chosen))
        write(
            json.dumps([{name: row.values.get(name) for name in names} for row in rows], indent=2)
        )
    elif form == "csv":
        write(as_csv(shown, [[_text(row.values.get(name)) for name in shown] for row in rows]))
    elif rows:
        numeric = {index for index, name in enumerate(shown) if _is_numeric(name, rows)}
        print_table(out(), shown, [[_cell(row, name) for name in shown] for row in rows], numeric)


def _split(columns: str | None) -> list[str]:
    return [] if columns is None else list(dict.fromkeys(map(str.strip, columns.split(","))))


def _require_known(names: Iterable[str], rows: Sequence[Row], option: str) -> None:
    """Refuse columns that no run has; without runs, their metrics are unknown.

    Raises:
        BadParameter: There is no such column.
    """
    known = columns_of(rows)
    for name in names:
        if name in known or (name and not rows):
            continue
        near = did_you_mean(name, known)
        hint = f"{near} The" if near else "the"
        message = f"there is no column {name!r}: {hint} columns are {', '.join(known)}"
        raise click.BadParameter(visible(message), param_hint=option)


def _is_numeric(name: str, rows: Iterable[Row]) -> bool:
    known = [row.values[name] for row in rows if row.values.get(name) is not None]
    return name != "best" and all(isinstance(value, int | float) for value in known)


def _cell(row: Row, name: str) -> str:
    """Format a value for people, on one line."""
    run = row.run
    match name, row.values.get(name):
        case "best", float() | int() if run.best:
            return f"{run.best.name} {run.best.value:.4g} ({run.best.epoch})"
        case "epochs", count if run.asked is not None:
            return f"{count}/{run.asked}"
        case "started", str(started):
            return _when(started)
        case _, float(number) if name in run.metrics:
            return f"{number:.4g}"
        case _, value:
            return _text(value).replace("\n", "\\n").replace("\t", "\\t")


def _text(value: Any) -> str:
    """Convert a value to text; None is empty."""
    if value is None:
        return ""
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _when(started: str) -> str:
    """Convert a time to the local time zone."""
    try:
        return datetime.fromisoformat(started).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return started

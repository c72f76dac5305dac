"""``modelspec runs``."""

import json
from datetime import datetime
from pathlib import Path

import click

from modelspec.cli.commands import Verb
from modelspec.cli.streams import err, out, write
from modelspec.report.table import as_csv, print_table
from modelspec.report.visible import visible
from modelspec.runs.listing import Listed, find_runs

_DEFAULT = Path("runs")
_HEADER = ("name", "status", "started", "epochs", "best", "folder")
_FIELDS = (
    *("folder", "name", "status", "started", "seconds", "epochs", "epochs_asked"),
    *("best_epoch", "best_metric", "best_value"),
)


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
def runs(folder: Path, form: str) -> None:
    """List the runs in and under DIR (runs), newest first, and mark those that died."""
    missing = folder == _DEFAULT and not folder.exists()
    found, refused = ([], []) if missing else find_runs(folder)
    for reason in refused:
        err().print(f"warning: {reason}", markup=False, highlight=False, soft_wrap=True)
    if not found:
        err().print(f"no runs in {folder}", markup=False, highlight=False, soft_wrap=True)
    rows = [run.as_json() for run in found]
    if form == "json":
        write(json.dumps(rows, indent=2))
    elif form == "csv":
        cells = [
            ["" if row[name] is None else visible(str(row[name])) for name in _FIELDS]
            for row in rows
        ]
        write(as_csv(_FIELDS, cells))
    elif found:
        print_table(out(), _HEADER, [_row(run) for run in found], {3})


def _row(run: Listed) -> list[str]:
    best = f"{run.best.name} {run.best.value:.4g} ({run.best.epoch})" if run.best else ""
    epochs = str(run.epochs) if run.asked is None else f"{run.epochs}/{run.asked}"
    return [run.name, run.status, _when(run.started), epochs, best, str(run.path)]


def _when(started: str | None) -> str:
    """A time as clocks here show it."""
    try:
        return datetime.fromisoformat(started or "").astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return started or ""

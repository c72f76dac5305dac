"""``modelspec predict``."""

from pathlib import Path

import click

from modelspec.api.prediction import predicting
from modelspec.api.target import open_target
from modelspec.cli.commands import Verb
from modelspec.cli.options import data_option, note, set_option, show
from modelspec.cli.streams import err, write, write_bytes
from modelspec.cli.workers import cluster_for_inference, is_chief, workers_option
from modelspec.data.npz_writer import save_npz, send_npz
from modelspec.data.table_writer import SEPARATORS, save_table
from modelspec.report.predictions import ClassNames, FirstRows, print_predictions


@click.command(cls=Verb)
@click.argument("target", metavar="RUN|MODEL.keras")
@data_option
@click.option(
    "-o",
    "--output",
    metavar="P.npz",
    default="predictions.npz",
    show_default=True,
    help="Output file: .npz, or .csv or .tsv for a table; - for standard output.",
)
@click.option(
    "--columns",
    metavar="NAME,...",
    default="",
    help="Columns of the data to put first in a table of predictions.",
)
@workers_option("Predict")
@set_option
def predict(
    *,
    target: str,
    data: tuple[Path, ...],
    output: str,
    columns: str,
    workers: int,
    overrides: tuple[str, ...],
) -> None:
    """Write one array per output, by name, and print the file's path."""
    suffix = Path(output).suffix.lower()
    if output != "-" and suffix not in ("", ".npz", *SEPARATORS):
        raise click.UsageError(f"-o {output}: predictions are written as .npz, .csv or .tsv")
    if columns and suffix not in SEPARATORS:
        raise click.UsageError("--columns needs a table: -o P.csv")
    names = [name for name in columns.split(",") if name]
    cluster = cluster_for_inference(workers)
    made = predicting(
        open_target(target, overrides),
        data,
        columns=names,
        say=note if is_chief(cluster) else None,
        warn=show,
        cluster=cluster,
    )
    if not is_chief(cluster):
        for _ in made.pieces:
            pass  # all workers gather its rows, and the first writes them
        return
    if output == "-":
        send_npz(write_bytes, made.pieces)
        return
    first = FirstRows()
    pieces = first.of(made.pieces)
    if suffix in SEPARATORS:
        save_table(Path(output), pieces, made.layout)
    else:
        save_npz(Path(output), pieces)
    classes = ClassNames(made.layout.classes, made.layout.thresholds)
    print_predictions(err(), first.arrays, made.targets, made.of_classes, classes)
    write(output)

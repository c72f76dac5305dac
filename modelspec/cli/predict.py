"""``modelspec predict``."""

from pathlib import Path

import click

from modelspec.api.inference import predicting
from modelspec.api.target import open_target
from modelspec.cli.commands import Verb
from modelspec.cli.options import data_option, note, set_option, show
from modelspec.cli.streams import err, write, write_bytes
from modelspec.data.npz_writer import save_npz, send_npz
from modelspec.report.predictions import FirstRows, print_predictions


@click.command(cls=Verb)
@click.argument("target", metavar="RUN|MODEL.keras")
@data_option
@click.option(
    "-o",
    "--output",
    metavar="P.npz",
    default="predictions.npz",
    show_default=True,
    help="Output file; - for standard output.",
)
@set_option
def predict(target: str, data: tuple[Path, ...], output: str, overrides: tuple[str, ...]) -> None:
    """Write one array per output, by name, and print the file's path."""
    if output != "-" and Path(output).suffix not in ("", ".npz"):
        raise click.UsageError(f"-o {output}: predictions are written as npz, so name it .npz")
    made = predicting(open_target(target, overrides), data, say=note, warn=show)
    if output == "-":
        send_npz(write_bytes, made.pieces)
        return
    first = FirstRows()
    save_npz(Path(output), first.of(made.pieces))
    print_predictions(err(), first.arrays, made.targets, made.of_classes)
    write(output)

"""``modelspec predict``."""

from pathlib import Path

import click

from modelspec.cli.options import data_option, set_option
from modelspec.cli.streams import err, write, write_bytes
from modelspec.inference import npz_bytes, open_target
from modelspec.inference import predict as predict_target
from modelspec.report.predictions import print_predictions
from modelspec.run import replacing


@click.command()
@click.argument("target", metavar="RUN|MODEL.keras")
@data_option
@click.option(
    "-o",
    "--output",
    metavar="P.npz",
    default="predictions.npz",
    show_default=True,
    help="Where to write; - for standard output.",
)
@set_option
def predict(target: str, data: Path, output: str, overrides: tuple[str, ...]) -> None:
    """Write one array per output, by name, and print the file's path."""
    predictions = predict_target(open_target(target, overrides), data)
    raw = npz_bytes(predictions.arrays)
    if output == "-":
        write_bytes(raw)
        return
    with replacing(Path(output)) as aside:
        aside.write_bytes(raw)
    print_predictions(err(), predictions.arrays, predictions.targets)
    write(output)

"""``modelspec train``."""

from contextlib import closing
from pathlib import Path

import click

from modelspec.cli.options import data_option, load_spec, set_option
from modelspec.cli.streams import err, write
from modelspec.report.progress import watcher_for
from modelspec.training import train as train_spec


@click.command()
@click.argument("spec", metavar="SPEC")
@data_option
@click.option("--validation", type=click.Path(path_type=Path), help="An npz file to validate on.")
@click.option("--run", type=click.Path(path_type=Path), help="The run's folder.")
@click.option("--resume", is_flag=True, help="Go on with the run in --run, where it stopped.")
@click.option("--epochs", type=click.IntRange(min=1), help="In place of training.epochs.")
@click.option("--batch-size", type=click.IntRange(min=1), help="In place of training.batch_size.")
@set_option
def train(
    *,
    spec: str,
    data: Path,
    validation: Path | None,
    run: Path | None,
    resume: bool,
    epochs: int | None,
    batch_size: int | None,
    overrides: tuple[str, ...],
) -> None:
    """Train a spec on npz data, and print the run's folder."""
    if resume and run is None:
        raise click.UsageError("--resume needs --run: which run to go on with")
    given = {"training.epochs": epochs, "training.batch_size": batch_size}
    options = [f"{path}={value}" for path, value in given.items() if value is not None]
    source = load_spec(spec, [*overrides, *options])
    with closing(watcher_for(err())) as watcher:
        finished = train_spec(
            source, data, validation=validation, run=run, resume=resume, watcher=watcher
        )
    write(str(finished.path))

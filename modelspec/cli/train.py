"""``modelspec train``."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import click

from modelspec.api.resume import takes_more_epochs
from modelspec.api.train import CHECKPOINT_MINUTES, set_threads
from modelspec.api.train import train as train_spec
from modelspec.cli.again import naming_resume_command, plugin_words
from modelspec.cli.commands import Verb
from modelspec.cli.hard_interrupt import leaving_at_once
from modelspec.cli.options import (
    PATH,
    data_option,
    load_spec,
    note,
    set_option,
    weights_option,
    weights_override,
)
from modelspec.cli.streams import err, write
from modelspec.cli.worker_log import listening
from modelspec.cli.workers import cluster_of, lead, workers_option
from modelspec.cluster.pulse import is_watched
from modelspec.cluster.slurm import unused_tasks
from modelspec.problems.errors import RunError
from modelspec.report import curves
from modelspec.report.finish import print_finish
from modelspec.report.progress import Screen
from modelspec.runs.layout import CURVES
from modelspec.runs.progress import Listener
from modelspec.runs.run import Run


@click.command(cls=Verb)
@click.argument("spec", metavar="SPEC")
@data_option
@click.option(
    "--validation", multiple=True, type=PATH, help="Validation data, in the same forms as --data."
)
@click.option("--run", type=PATH, help="Folder of the run. Default: runs/NAME/TIMESTAMP.")
@click.option("--resume", is_flag=True, help="Continue the run in --run from its last checkpoint.")
@click.option("--epochs", type=click.IntRange(min=1), help="Replaces training.epochs.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Replaces training.batch_size.")
@click.option(
    "--checkpoint-minutes",
    "minutes",
    type=click.FloatRange(min=0),
    default=CHECKPOINT_MINUTES,
    show_default=True,
    help="Minutes between checkpoints during long epochs.",
)
@click.option(
    "--tensorboard", is_flag=True, help="Write TensorBoard logs to the folder of the run."
)
@click.option(
    "--devices", type=click.IntRange(min=1), help="Replaces training.devices: how many GPUs train."
)
@workers_option("Train")
@click.option(
    "--restarts",
    type=click.IntRange(min=0),
    default=0,
    help="Continue this many times from the last checkpoint after a worker was lost.",
)
@click.option("--quiet", is_flag=True, help="Print only warnings and errors.")
@weights_option
@set_option
def train(
    *,
    spec: str,
    data: tuple[Path, ...],
    validation: tuple[Path, ...],
    run: Path | None,
    resume: bool,
    epochs: int | None,
    batch_size: int | None,
    minutes: float,
    tensorboard: bool,
    devices: int | None,
    workers: int,
    restarts: int,
    quiet: bool,
    weights: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Train a spec on npz files or tables, and print the run's folder."""
    if resume and run is None:
        raise click.UsageError("--resume needs --run, the folder of the run")
    if tensorboard and find_spec("tensorboard") is None:
        raise RunError("--tensorboard needs the package tensorboard, which is not installed")
    cluster = cluster_of(workers)
    if restarts and workers == 1:
        raise click.UsageError("--restarts needs --workers: it starts lost workers again")
    if workers > 1 and devices not in (None, 1):
        raise click.UsageError("--devices is for a single process: each worker has one device")
    options = replacing(
        spec, epochs=epochs, batch_size=batch_size, devices=devices, weights=weights
    )
    source = load_spec(spec, [*overrides, *options], run if resume else None)
    if workers > 1:
        lead(source, run, workers, restarts, from_standard_input=spec == "-")
        return
    if workers == 1 and cluster is None and (tasks := unused_tasks(os.environ)) > 1:
        note(f"this process trains alone: start it with srun to use the {tasks} tasks of the job")
    set_threads(source)
    with (
        leaving_at_once(),
        naming_resume_command(run, cluster.size if cluster and is_watched() else 1),
        listening(cluster, run, quiet=quiet) as listener,
    ):
        finished = train_spec(
            source,
            data,
            validation=validation,
            run=run,
            resume=resume,
            minutes=minutes,
            tensorboard=tensorboard,
            listener=_ImportsCurves(listener) if cluster is None else listener,
            cluster=cluster,
        )
    if cluster is None or cluster.is_chief:
        _report(finished, listener, quiet=quiet)


class _ImportsCurves:
    """A listener that imports matplotlib after the first steps, and passes on what it receives.

    Before them, TensorFlow traces the step in Python, which a second thread would slow down.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener, self._imported = listener, False
        self.epoch_started, self.epoch_finished = listener.epoch_started, listener.epoch_finished
        self.training_started, self.problems = listener.training_started, listener.problems
        self.weights, self.note, self.warn = listener.weights, listener.note, listener.warn

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None:
        if not self._imported:
            self._imported = True
            curves.import_early()
        self._listener.samples_done(done, logs)


def _report(run: Run, listener: Screen, *, quiet: bool) -> None:
    """Draw the curves of a finished run, say how it ended, and print its folder."""
    _draw(run, listener)
    if not quiet:
        more = takes_more_epochs(run)
        samples, plugins = listener.samples, plugin_words()
        print_finish(err(), run, samples, takes_more_epochs=more, plugins=plugins)
    write(str(run.path))


def replacing(
    spec: str,
    *,
    epochs: int | None,
    batch_size: int | None,
    weights: Path | None,
    devices: int | None = None,
) -> list[str]:
    """Return the overrides for options with names of their own."""
    settings = {
        "training.epochs": epochs,
        "training.batch_size": batch_size,
        "training.devices": devices,
    }
    options = [f"{path}={value}" for path, value in settings.items() if value is not None]
    return options + weights_override(weights, spec)


def _draw(run: Run, listener: Screen) -> None:
    """Draw the curves if possible; a run is valid without them."""
    history = run.history
    if history and not curves.can_draw():
        listener.note("curves.png needs matplotlib: install it, or the extra curves")
    elif history:
        try:
            curves.draw_curves(history, run.path / CURVES)
        except OSError as error:
            listener.warn(f"cannot write {CURVES}: {error.strerror}")

"""The process that starts and watches the workers of ``--workers``."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import click

from modelspec.api.model_spec import ModelSpec
from modelspec.api.workers import too_many_workers
from modelspec.cli.again import resuming
from modelspec.cli.options import note
from modelspec.cluster.cluster import TF_CONFIG, Cluster, from_environment
from modelspec.cluster.local import WORKER_LOGS, run_workers
from modelspec.language.spec import Spec
from modelspec.problems.errors import ResumableError, RunError
from modelspec.runs.folder import new_folder
from modelspec.runs.run import Run

Command = TypeVar("Command", bound=Callable[..., Any])

_OWN = ("--workers", "--restarts", "--run")
_LAST_LINES = 5


def workers_option(what: str) -> Callable[[Command], Command]:
    """Add ``--workers N``; ``what`` says what the processes do."""
    return click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=1,
        help=f"{what} with this number of processes, which share every batch.",
    )


def cluster_of(workers: int) -> Cluster | None:
    """Return the workers that the environment names, if the option agrees with them.

    Raises:
        UsageError: The option differs.
    """
    cluster = from_environment()
    if cluster is not None and workers > 1:
        maker = TF_CONFIG if TF_CONFIG in os.environ else "Slurm"
        raise click.UsageError(f"{maker} already makes this process one of several workers")
    return cluster


def cluster_for_inference(workers: int) -> Cluster | None:
    """Return the workers among which this process computes its share; None if it computes all.

    With ``workers`` above 1, this process starts them, and ends when they end.

    Raises:
        RunError: A worker failed.
        click.exceptions.Exit: The workers have ended.
    """
    cluster = cluster_of(workers)
    if workers > 1:
        _lead_inference(workers)
    return cluster


def is_chief(cluster: Cluster | None) -> bool:
    """Return True where this process shows progress and results."""
    return cluster is None or cluster.is_chief


def _lead_inference(workers: int) -> None:
    with TemporaryDirectory(prefix="modelspec-workers-") as name:
        outcome = run_workers(_without_own(sys.argv[1:]), workers, Path(name))
        if outcome.reason:
            for log in sorted((Path(name) / WORKER_LOGS).glob("*.log")):
                for line in log.read_text(errors="replace").splitlines()[-_LAST_LINES:]:
                    note(f"worker {log.stem}: {line}")
            raise RunError(outcome.reason.partition("; see ")[0])
    raise click.exceptions.Exit(outcome.code)


def lead(
    source: ModelSpec, run: Path | None, workers: int, restarts: int, *, from_standard_input: bool
) -> None:
    """Run this command as several workers, and end when they end.

    A spec ``from_standard_input``, which can be read only once, is passed to each of them.

    Raises:
        ResumableError: A worker failed.
        click.exceptions.Exit: The workers ended with another exit code than 0.
    """
    require_enough_rows(source.require().spec, workers)
    folder = run or new_folder(source.name)
    command = [*_without_own(sys.argv[1:]), "--run", str(folder)]
    text = source.document.text if source.document and from_standard_input else ""
    while True:
        outcome = run_workers(command, workers, folder, text=text)
        if not (outcome.lost and restarts):
            break
        restarts -= 1
        # A worker may be lost while all of them start, before there is a run.
        begun = Run(folder).exists()
        again = "continuing from the last checkpoint" if begun else "starting again"
        note(f"{outcome.reason}; {again}")
        command = [*(word for word in command if word != "--resume"), "--resume"]
    if outcome.reason:
        raise ResumableError(outcome.reason, folder, resuming(folder))
    if outcome.code:
        raise click.exceptions.Exit(outcome.code)


def require_enough_rows(spec: Spec, workers: int) -> None:
    """Refuse ``--workers`` above the number of rows in a batch."""
    if reason := too_many_workers(spec, workers):
        raise click.BadParameter(reason, param_hint="--workers")


def _without_own(words: list[str]) -> list[str]:
    """Return the command's words without options for this process only."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _OWN:
            skip = True
        elif not word.startswith(tuple(f"{name}=" for name in _OWN)):
            kept.append(word)
    return kept

"""The process that starts and watches the workers of ``train --workers``."""

import sys
from pathlib import Path

import click

from modelspec.api.model_spec import ModelSpec
from modelspec.api.workers import too_many_workers
from modelspec.cli.again import resuming
from modelspec.cli.options import note
from modelspec.cluster.local import run_workers
from modelspec.language.spec import Spec
from modelspec.problems.errors import ResumableError
from modelspec.runs.folder import new_folder
from modelspec.runs.run import Run

_OWN = ("--workers", "--restarts", "--run")


def lead(source: ModelSpec, run: Path | None, workers: int, restarts: int) -> None:
    """Run this command as so many workers, and end as they end.

    Raises:
        ResumableError: A worker failed.
        click.exceptions.Exit: The workers ended with another exit code than 0.
    """
    require_enough_rows(source.require().spec, workers)
    folder = run or new_folder(source.name)
    command = [*_without_own(sys.argv[1:]), "--run", str(folder)]
    while True:
        outcome = run_workers(command, workers, folder)
        if not (outcome.lost and restarts and Run(folder).exists()):
            break
        restarts -= 1
        note(f"{outcome.reason}; continuing from the last checkpoint")
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
    """The command's words without options that only this process knows."""
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

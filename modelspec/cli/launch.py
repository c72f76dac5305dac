"""``modelspec launch``."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from modelspec.api.launch import check_launch
from modelspec.api.model_spec import ModelSpec
from modelspec.api.reading import load
from modelspec.catalog.plugins import active_plugins
from modelspec.cli.commands import Verb
from modelspec.cli.options import note, show
from modelspec.cli.streams import write
from modelspec.cli.train import replacing, train
from modelspec.cli.workers import require_enough_rows
from modelspec.report.batch_script import batch_script
from modelspec.report.manifest import manifest
from modelspec.results.launch import Launch
from modelspec.runs.folder import unused_folder

_WRITERS = {"slurm": batch_script, "kubernetes": manifest}
_NOT_OURS = {"workers", "restarts", "resume", "devices"}
"""Options of ``train`` that are not copied to the command of a worker."""

_REPLACING = ("epochs", "batch_size", "weights")

_OF_TRAIN = [param for param in train.params if param.name not in _NOT_OURS and param.expose_value]


@click.command(cls=Verb, params=[*_OF_TRAIN])
@click.option(
    "--print",
    "form",
    required=True,
    type=click.Choice(list(_WRITERS)),
    help="A batch script for Slurm, or a manifest for Kubernetes.",
)
@click.option(
    "--workers",
    required=True,
    type=click.IntRange(min=1),
    help="The number of machines, which share every batch.",
)
@click.option(
    "--restarts",
    type=click.IntRange(min=0),
    default=0,
    help="Continue this many times from the last checkpoint after a worker was lost.",
)
def launch(*, form: str, workers: int, restarts: int, **of_train: Any) -> None:
    """Print a batch script or a manifest that trains a spec on several machines."""
    spec = of_train["spec"]
    if spec == "-":
        raise click.UsageError("machines elsewhere cannot read standard input: name a file")
    options = replacing(spec, **{name: of_train[name] for name in _REPLACING})
    source = load(spec, [*of_train["overrides"], *of_train["models"], *options])
    _check(source, of_train["data"], workers)
    here = Path.cwd()
    of_train["run"] = _portable(of_train["run"] or unused_folder(source.name), here)
    words = ("train", *_words(of_train, here), "--resume")
    write(_WRITERS[form](Launch(source.name, words, here, of_train["run"], workers, restarts)))


def _check(source: ModelSpec, data: tuple[Path, ...], workers: int) -> None:
    if source.spec is not None:
        require_enough_rows(source.spec, workers)
    problems = check_launch(source, data, note)
    show(problems)
    if any(problem.severity == "error" for problem in problems):
        raise click.exceptions.Exit(1)


def _words(values: Mapping[str, Any], here: Path) -> Iterator[str]:
    """Yield the arguments of ``train`` again, with paths relative to the folder ``here``."""
    for param in _OF_TRAIN:
        value = values[param.name or ""]
        if isinstance(param, click.Argument):
            yield str(_portable(Path(value), here))
        elif value is True:
            yield param.opts[0]
        elif value not in (None, False, param.default):
            for single in value if param.multiple else [value]:
                yield from (param.opts[0], _word(param.name, single, here))
    for plugin in active_plugins():
        path = plugin.written if plugin.module else _portable(Path(plugin.written), here)
        yield from ("--plugin", str(path))


def _word(option: str | None, value: Any, here: Path) -> str:
    """Return the value of an option as it is written on another machine."""
    if option == "models":  # the override from the option
        name, _, path = value.removeprefix("models.").partition(".path=")
        return f"{name}={_portable(Path(json.loads(path)), here)}"
    return str(_portable(value, here) if isinstance(value, Path) else value)


def _portable(path: Path, here: Path) -> Path:
    """Return the path relative to the folder ``here``; outside of it, with a note."""
    if not path.is_absolute() and ".." not in path.parts:
        return path
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    if absolute.is_relative_to(here):
        return absolute.relative_to(here)
    note(f"{absolute} is outside of {here}: all machines need it at the same path")
    return absolute

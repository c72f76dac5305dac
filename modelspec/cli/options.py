"""Options that several commands share, and the output of problems."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from modelspec.api.model_spec import ModelSpec
from modelspec.api.reading import load
from modelspec.cli.streams import err, is_plain, say, write_error
from modelspec.language.paths import written_from
from modelspec.problems.problem import Problem
from modelspec.report.problems import print_problems, problems_text

Command = TypeVar("Command", bound=Callable[..., Any])


class _Path(click.Path):
    """A path that is not empty, because an unset shell variable is an empty path."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=Path)

data_option = click.option(
    "--data",
    required=True,
    multiple=True,
    type=PATH,
    help="An npz file or a table (.csv, .tsv, .parquet), or a folder of them. Repeatable: the "
    "rows are concatenated.",
)


def set_option(command: Command) -> Command:
    """Add ``--set PATH=VALUE`` and ``--model NAME=PATH``, both repeatable.

    The command gets both as ``overrides``: a model's path is a value of the spec.
    """

    @wraps(command)
    def with_overrides(*, overrides: tuple[str, ...], models: tuple[str, ...], **more: Any) -> Any:
        return command(overrides=(*overrides, *models), **more)

    change = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="PATH=VALUE",
        help="Override a value of the spec, for example training.epochs=5. Repeatable.",
    )
    model = click.option(
        "--model",
        "models",
        multiple=True,
        metavar="NAME=PATH",
        callback=_model_paths,
        help="The run or .keras file of a model in the spec; replaces its path. Repeatable.",
    )
    return cast("Command", change(model(with_overrides)))


def _model_paths(_context: Any, _option: Any, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the overrides for ``--model``; its paths are relative to the current folder."""
    overrides = []
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path:
            raise click.BadParameter(f"{text!r} is not NAME=PATH, for example trunk=runs/digits")
        overrides.append(
            f"models.{name}.path={json.dumps(str(Path(path).expanduser().absolute()))}"
        )
    return tuple(overrides)


Lengths = Mapping[str, tuple[int, ...]]
"""Lengths by input, in place of its unknown axes."""


def _lengths(_context: Any, _option: Any, texts: tuple[str, ...]) -> Lengths:
    """Read ``posts=500``, or ``image=224,224`` for an input with several unknown lengths."""
    lengths = {}
    for text in texts:
        name, _, sizes = text.partition("=")
        try:
            lengths[name] = tuple(int(size) for size in sizes.split(","))
        except ValueError:
            raise click.BadParameter(f"{text} is not NAME=LENGTH, for example posts=500") from None
        if min(lengths[name]) < 1:
            raise click.BadParameter(f"{text}: a length must be at least 1")
    return lengths


def shape_option(where: str) -> Callable[[Command], Command]:
    """Add ``--shape NAME=LENGTH,...``, repeatable; ``where`` says when it applies."""
    return click.option(
        "--shape",
        "lengths",
        multiple=True,
        metavar="NAME=LENGTH,...",
        callback=_lengths,
        help=f"{where}: the unknown lengths (null) of an input. Repeatable.",
    )


def weights_option(command: Command) -> Command:
    """Add ``--weights PATH``, which replaces ``weights.from``."""
    return click.option(
        "--weights",
        type=PATH,
        help="A run, a .keras or a .weights.h5 file to start from; replaces weights.from.",
    )(command)


def weights_override(weights: Path | None, spec: str) -> list[str]:
    """Return the override for ``--weights``; its path is relative to the current folder."""
    if weights is None:
        return []
    return [f"weights.from={json.dumps(written_from(weights, spec))}"]


def format_option(*choices: str) -> Callable[[Command], Command]:
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Output format.",
    )


def load_spec(path: str, overrides: Sequence[str], run: Path | None = None) -> ModelSpec:
    """Read a spec, and print its warnings; ``run`` is the folder of a run that it resumes.

    Raises:
        SpecError: The spec has errors.
    """
    source = load(path, overrides, run=run)
    source.require()
    show(source.problems)
    return source


def note(text: str) -> None:
    """Print a note on one line of standard error."""
    say(f"note: {text}")


def show(problems: Sequence[Problem]) -> None:
    """Print problems on standard error."""
    if is_plain(sys.__stderr__):
        write_error(problems_text(problems))
    else:
        print_problems(err(), problems)

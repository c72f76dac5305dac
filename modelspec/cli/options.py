"""Options that several commands share, and the output of problems."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from modelspec.api.model_spec import ModelSpec, load
from modelspec.cli.streams import err
from modelspec.problems.problem import Problem
from modelspec.report.problems import print_problems

Command = TypeVar("Command", bound=Callable[..., Any])


class _Path(click.Path):
    """A path that is not empty; an unset shell variable gives an empty one."""

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
    help="An npz file, or a folder of npz files. Repeatable: the rows are concatenated.",
)


def set_option(command: Command) -> Command:
    """``--set PATH=VALUE``, repeatable."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="PATH=VALUE",
        help="Override a value of the spec, for example training.epochs=5. Repeatable.",
    )(command)


def format_option(*choices: str) -> Callable[[Command], Command]:
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Output format.",
    )


def load_spec(path: str, overrides: Sequence[str]) -> ModelSpec:
    """Read a spec, and print its warnings.

    Raises:
        SpecError: The spec has errors.
    """
    source = load(path, overrides)
    source.require()
    show(source.problems)
    return source


def note(text: str) -> None:
    """Print a note on one line of standard error."""
    err().print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)


def show(problems: Sequence[Problem]) -> None:
    """Print problems on standard error."""
    print_problems(err(), problems)

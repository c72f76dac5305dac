"""Commands to copy: the running one, continued, and the options that further commands need."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from modelspec.catalog.plugins import active_plugins
from modelspec.problems.errors import ResumableError, RunInterrupted

_REPLACED = {"run", "resume"}


def plugin_words() -> list[str]:
    """Return ``--plugin`` for each active plugin, because further commands need them again."""
    return [word for plugin in active_plugins() for word in ("--plugin", plugin.written)]


def resuming(run: Path, workers: int = 1) -> str:
    """Return the running command, with all of its options, to continue the run in a folder.

    ``workers`` is the number that another process has started, whose option is missing here.
    """
    context = click.get_current_context()
    several = ["--workers", str(workers)] if workers > 1 else []
    words = [*_words(context), *plugin_words(), *several, "--run", str(run), "--resume"]
    return f"modelspec {shlex.join(words)}"


@contextmanager
def naming_resume_command(run: Path | None, workers: int = 1) -> Iterator[None]:
    """Put the whole command into the messages of runs that can be continued.

    ``run`` is the folder in the command: a worker that is not the chief has a temporary copy.
    ``workers`` is as for ``resuming``.
    """
    try:
        yield
    except RunInterrupted as stop:
        path = run or stop.path
        raise RunInterrupted(path, resuming(path, workers)) from None
    except ResumableError as error:
        path = run or error.path
        raise ResumableError(error.reason, path, resuming(path, workers)) from error


def _words(context: click.Context) -> Iterator[str]:
    yield str(context.info_name)
    for parameter in context.command.params:
        name = str(parameter.name)
        if name in _REPLACED or name not in context.params:
            continue
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            yield from _written(parameter, context.params[name])


def _written(parameter: click.Parameter, value: Any) -> Iterator[str]:
    if isinstance(parameter, click.Argument):
        yield str(value)
    elif getattr(parameter, "is_flag", False):
        yield parameter.opts[0]
    else:
        for part in value if parameter.multiple else [value]:
            yield from (parameter.opts[0], str(part))

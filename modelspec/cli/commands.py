"""The commands; the module of a command is imported when the command runs."""

import contextlib
import os
import sys
from contextlib import AbstractContextManager
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PLUGINS_VARIABLE = "MODELSPEC_PLUGINS"

VERBS = {
    "new": "Print a commented spec to start from.",
    "layers": "List what a spec can contain; with NAME, its arguments, defaults and help.",
    "schema": "Print the JSON Schema of the language, for editors.",
    "check": "Report every problem of specs, and of data, at once.",
    "explain": "Explain the CODE of a problem, with a wrong and a right sample; or list all codes.",
    "summary": "Show layers, shapes and parameters; without arguments, read standard input.",
    "plot": "Draw the graph of a spec, a run or a .keras file.",
    "balance": "Measure how much each loss contributes, and loss_weights that balance them.",
    "import": "Write the spec of a saved Keras model, from its config alone.",
    "diff": "Show the differences in meaning between two specs, models or runs.",
    "build": "Compile a spec into a Keras model with initial weights, and print its path.",
    "train": "Train a spec on npz files or tables, and print the run's folder.",
    "launch": "Print a batch script or a manifest that trains a spec on several machines.",
    "evaluate": "Print loss and metrics on the test part of the data.",
    "predict": "Write one array per output, by name, and print the file's path.",
    "report": "Write one page about a run, or compare several runs.",
    "export": "Write a model as a Python script, or for another runtime, compared with Keras.",
    "runs": "List the runs in and under DIR (runs), newest first, and mark those that died.",
}
"""The commands in the order in which a user meets them, with their docstrings' first paragraphs.

They are repeated here, so that help and completion import no command.
"""


def attribute(verb: str) -> str:
    """Return the name of a command's module and function, which differs from Python's keywords."""
    return f"{verb}_" if iskeyword(verb) else verb


_WITHOUT_PLUGINS = {"new", "explain", "runs"}
"""Commands that read no spec, model or catalogue."""


_ON_TENSORFLOW = {"build", "train", "evaluate", "predict"}
"""Commands that import TensorFlow unless the spec or the data has errors."""


def _preloaded(verb: str, *, quick: bool) -> AbstractContextManager[None]:
    """Load TensorFlow's library, while a command that needs it is imported in a new process."""
    if quick or verb not in _ON_TENSORFLOW or "tensorflow" in sys.modules:
        return contextlib.nullcontext()
    from modelspec.cli.preloading import tensorflow_preloaded

    return tensorflow_preloaded()


class Verb(click.Command):
    """A command that keeps standard output for data, although Keras prints to it.

    Every command that reads a spec takes ``--plugin``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.name not in _WITHOUT_PLUGINS:
            self.params.append(
                click.Option(
                    ["--plugin"],
                    multiple=True,
                    metavar="FILE.py|MODULE",
                    expose_value=False,
                    callback=_offer_plugins,
                    help="A Python file or module with custom layers, losses and other objects. "
                    f"Repeatable; or {PLUGINS_VARIABLE}, separated by {os.pathsep}",
                )
            )

    def invoke(self, ctx: click.Context) -> Any:
        with contextlib.redirect_stdout(sys.stderr):
            return super().invoke(ctx)


def _offer_plugins(ctx: click.Context, _option: Any, paths: tuple[str, ...]) -> None:
    """Activate the plugins that the option names; without it, those of the environment."""
    if ctx.resilient_parsing:
        return
    from modelspec.catalog.plugins import activate

    variable = os.environ.get(PLUGINS_VARIABLE, "")
    activate(paths or [path for path in variable.split(os.pathsep) if path])


class Verbs(click.Group):
    """Imports only the command that runs, so that ``check`` does not wait for ``train``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            if ctx.resilient_parsing:  # a shell asks for completions of an unknown command
                return None
            from modelspec.problems.diagnostic import did_you_mean

            hint = did_you_mean(cmd_name, VERBS)
            ctx.fail(f"unknown command {cmd_name}" + (f": {hint}" if hint else ""))
        name = attribute(cmd_name)
        with _preloaded(cmd_name, quick=ctx.resilient_parsing):
            command: Verb = getattr(import_module(f"modelspec.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        begun = [verb for verb in VERBS if verb.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(verb, help=VERBS[verb]) for verb in begun] + options

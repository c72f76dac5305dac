"""The verbs, each in the module of its name, which is imported when it is asked for."""

from importlib import import_module

import click

from modelspec.problems.diagnostic import did_you_mean

VERBS = (
    "new",
    "layers",
    "schema",
    "check",
    "explain",
    "summary",
    "balance",
    "build",
    "train",
    "evaluate",
    "predict",
    "runs",
)


class Verbs(click.Group):
    """In the order in which a user meets them; ``check`` waits for nothing that ``train`` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            hint = did_you_mean(cmd_name, VERBS)
            ctx.fail(f"there is no command {cmd_name}" + (f": {hint}" if hint else ""))
        command: click.Command = getattr(import_module(f"modelspec.cli.{cmd_name}"), cmd_name)
        return command

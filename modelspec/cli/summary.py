"""``modelspec summary``."""

import json
import sys

import click

from modelspec.cli.options import format_option, set_option
from modelspec.cli.streams import out, write
from modelspec.inference import open_target, target_from_bytes
from modelspec.report.summaries import print_summary, summary_csv, summary_markdown
from modelspec.summary import Summary


@click.command()
@click.argument("targets", nargs=-1, metavar="[SPEC|MODEL.keras|RUN]...")
@format_option("table", "json", "csv", "markdown")
@set_option
def summary(targets: tuple[str, ...], form: str, overrides: tuple[str, ...]) -> None:
    """Show layers, shapes and parameters; without arguments, of what standard input holds."""
    summaries = [_summary(target, overrides) for target in targets or ("-",)]
    if form == "json":
        data = [each.as_json() for each in summaries]
        write(json.dumps(data if len(data) > 1 else data[0], indent=2))
    elif form == "csv":
        write(summary_csv(summaries))
    elif form == "markdown":
        write("\n".join(summary_markdown(each) for each in summaries))
    else:
        for each in summaries:
            print_summary(out(), each)


def _summary(path: str, overrides: tuple[str, ...]) -> Summary:
    if path == "-":
        target = target_from_bytes(sys.stdin.buffer.read(), overrides)
    else:
        target = open_target(path, overrides)
    return target.summary(light=True)

"""``modelspec evaluate``."""

import json
from pathlib import Path

import click

from modelspec.api.evaluation import evaluate as evaluate_target
from modelspec.api.target import open_target
from modelspec.cli.commands import Verb
from modelspec.cli.options import data_option, format_option, note, set_option, show
from modelspec.cli.streams import out, write
from modelspec.cli.workers import cluster_for_inference, is_chief, workers_option
from modelspec.report.table import print_table


@click.command(cls=Verb)
@click.argument("target", metavar="RUN|MODEL.keras")
@data_option
@format_option("table", "json")
@workers_option("Evaluate")
@set_option
def evaluate(
    target: str, data: tuple[Path, ...], form: str, workers: int, overrides: tuple[str, ...]
) -> None:
    """Print loss and metrics on the test part of the data."""
    cluster = cluster_for_inference(workers)
    say = note if is_chief(cluster) else None
    results = evaluate_target(
        open_target(target, overrides), data, say=say, warn=show, cluster=cluster
    )
    if not is_chief(cluster):
        return
    if form == "json":
        write(json.dumps(results, indent=2))
    else:
        rows = [(name, f"{value:.6g}") for name, value in results.items()]
        print_table(out(), ("metric", "value"), rows, {1})

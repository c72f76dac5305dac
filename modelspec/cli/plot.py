"""``modelspec plot``."""

from pathlib import Path

import click

from modelspec.api.costs import LengthError
from modelspec.api.plot import plot as plot_target
from modelspec.api.target import Target, open_target, target_from_bytes
from modelspec.cli.commands import Verb
from modelspec.cli.options import PATH, Lengths, note, set_option, shape_option
from modelspec.cli.streams import write, write_bytes
from modelspec.language.document import read_stdin
from modelspec.report.pictures.files import SUFFIXES
from modelspec.report.pictures.mermaid import is_drawable
from modelspec.results.network import Measure
from modelspec.storage.atomic import replacing


@click.command(cls=Verb)
@click.argument("target", metavar="SPEC|RUN|MODEL.keras")
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="FILE",
    help=f"Output file; its suffix is the form: {', '.join(SUFFIXES)}. Without it, Mermaid text "
    "on standard output.",
)
@click.option(
    "--by",
    type=click.Choice(("params", "flops", "memory")),
    help="Colour layers by parameters, by operations, or by memory in training.",
)
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    help="Levels of blocks, repeats and nested models that are drawn open; by default as many as "
    "can be read.",
)
@shape_option("With --by flops or memory")
@set_option
def plot(
    *,
    target: str,
    output: Path | None,
    by: Measure | None,
    depth: int | None,
    lengths: Lengths,
    overrides: tuple[str, ...],
) -> None:
    """Draw the graph of a spec, a run or a .keras file."""
    suffix = ".mmd" if output is None else output.suffix.lower()
    if suffix not in SUFFIXES:
        raise click.BadParameter(
            f"{output}: the file name must end in {', '.join(SUFFIXES)}", param_hint="--output"
        )
    opened = _open(target, overrides)
    try:
        raw = plot_target(opened, suffix[1:], by=by, depth=depth, lengths=lengths, light=True)
    except LengthError as error:
        raise click.UsageError(str(error)) from error
    if suffix == ".mmd" and not is_drawable(raw.decode()):
        note("Mermaid draws at most 500 edges and 50,000 characters: use a smaller --depth")
    if output is None:
        write_bytes(raw)
        return
    with replacing(output) as aside:
        aside.write_bytes(raw)
    write(str(output))


def _open(path: str, overrides: tuple[str, ...]) -> Target:
    if path == "-":
        return target_from_bytes(read_stdin(), overrides)
    return open_target(path, overrides)

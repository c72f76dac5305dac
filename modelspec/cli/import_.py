"""``modelspec import``."""

from pathlib import Path

import click

from modelspec.api.importing import import_model
from modelspec.cli.commands import Verb
from modelspec.cli.options import PATH, note, show
from modelspec.cli.streams import write
from modelspec.storage.atomic import replacing


@click.command("import", cls=Verb)
@click.argument("model", type=PATH, metavar="MODEL.keras")
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="SPEC.yaml",
    help="Output file, instead of standard output.",
)
@click.option("--flat", is_flag=True, help="Write every layer, without blocks and repeats.")
@click.option(
    "--keep-nested",
    is_flag=True,
    help="Keep nested models as models in the file, instead of blocks.",
)
def import_(*, model: Path, output: Path | None, flat: bool, keep_nested: bool) -> None:
    """Write the spec of a saved Keras model, from its config alone."""
    imported = import_model(model, output, flat=flat, keep_nested=keep_nested)
    if output is None:
        write(imported.text)
    else:
        with replacing(output) as aside:
            aside.write_text(imported.text, encoding="utf-8")
        write(str(output))
    for text in imported.notes:
        note(text)
    if imported.problems:
        show(imported.problems)
        raise click.exceptions.Exit(1)

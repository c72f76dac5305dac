"""``modelspec build``."""

import tempfile
from pathlib import Path

import click

from modelspec.api.keras_files import save_model
from modelspec.cli.commands import Verb
from modelspec.cli.options import load_spec, set_option
from modelspec.cli.streams import write, write_bytes


@click.command(cls=Verb)
@click.argument("spec", metavar="SPEC")
@click.option("-o", "--output", metavar="MODEL.keras", help="Output file; - for standard output.")
@set_option
def build(spec: str, output: str | None, overrides: tuple[str, ...]) -> None:
    """Compile a spec into a Keras model with initial weights, and print its path."""
    source = load_spec(spec, overrides)
    path = Path(output or f"{source.name}.keras")
    if output != "-" and path.suffix != ".keras":
        raise click.BadParameter("the file name must end in .keras", param_hint="--output")
    model = source.build()
    if output != "-":
        save_model(model, path)
        write(str(path))
        return
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder) / "model.keras"
        save_model(model, aside)
        write_bytes(aside.read_bytes())

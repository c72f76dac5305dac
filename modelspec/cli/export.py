"""``modelspec export``."""

from pathlib import Path
from typing import Literal

import click

from modelspec.api.export import ExportError
from modelspec.api.export import export as export_model
from modelspec.api.python import to_python
from modelspec.api.target import open_target
from modelspec.cli.commands import Verb
from modelspec.cli.options import PATH, note, set_option, show
from modelspec.cli.streams import err, write
from modelspec.problems.errors import ModelError
from modelspec.report.export import print_proof
from modelspec.results.export import FORMATS, Format
from modelspec.storage.atomic import replacing


@click.command(cls=Verb)
@click.argument("target", metavar="SPEC|RUN|MODEL.keras")
@click.option(
    "--format",
    "form",
    type=click.Choice(("python", *FORMATS)),
    required=True,
    help="Output format.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="Output file; for saved_model a folder. Without it, python goes to standard output.",
)
@click.option(
    "--data",
    multiple=True,
    type=PATH,
    help="Rows on which the file is compared with Keras. Default: random rows. Repeatable.",
)
@click.option("--opset", type=click.IntRange(7), help="onnx: the version of ONNX's operators.")
@click.option("--allow-flex", is_flag=True, help="litert: allow operations of TensorFlow.")
@click.option(
    "--int8",
    is_flag=True,
    help="litert: 8-bit integers; their ranges come from the training rows of --data.",
)
@click.option("--force", is_flag=True, help="Keep a file that differs from the model.")
@set_option
def export(
    *,
    target: str,
    form: Literal["python"] | Format,
    output: Path | None,
    data: tuple[Path, ...],
    opset: int | None,
    allow_flex: bool,
    int8: bool,
    force: bool,
    overrides: tuple[str, ...],
) -> None:
    """Write a model as a Python script, or for another runtime, compared with Keras."""
    if form == "python":
        for option, is_set in (("--opset", opset), ("--allow-flex", allow_flex), ("--int8", int8)):
            if is_set:
                raise click.UsageError(f"{option} is not for --format python")
        _write_python(target, output, data, overrides)
        return
    _refuse_elsewhere("--opset", "onnx", form, is_set=opset is not None)
    _refuse_elsewhere("--allow-flex", "litert", form, is_set=allow_flex)
    _refuse_elsewhere("--int8", "litert", form, is_set=int8)
    if int8 and not data:
        raise click.UsageError(
            "--int8 needs --data: it measures the ranges of the integers on the rows"
        )
    try:
        proof = export_model(
            open_target(target, overrides),
            form,
            output,
            data=data or None,
            opset=opset,
            allow_flex=allow_flex,
            int8=int8,
            force=force,
            say=note,
            warn=show,
        )
    except ExportError as error:
        print_proof(err(), error.proof)
        raise
    print_proof(err(), proof)
    if not proof.passed:
        note("the file differs from the model, and was kept because of --force")
    write(proof.path)


def _write_python(
    target: str, output: Path | None, data: tuple[Path, ...], overrides: tuple[str, ...]
) -> None:
    """Write a script to a file, or to standard output."""
    if len(data) > 1:
        raise click.UsageError("a script reads one npz file, so give --data once")
    source = open_target(target, overrides).source
    if source is None:
        raise ModelError(f"{target} has no spec, and a script is made from a spec")
    script = to_python(source, data[0] if data else None, say=note)
    show(source.problems)
    if output is None or str(output) == "-":
        write(script)
        return
    with replacing(output) as aside:
        aside.write_text(script, "utf-8")
    write(str(output))


def _refuse_elsewhere(option: str, only: Format, form: Format, *, is_set: bool) -> None:
    """Refuse an option of another format.

    Raises:
        UsageError: The option is set.
    """
    if is_set and form != only:
        raise click.UsageError(f"{option} is for --format {only}")

"""A model as a LiteRT file (``.tflite``)."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modelspec.backend.export.litert_conversion import (
    ConversionError,
    convert,
    convert_elsewhere,
)
from modelspec.backend.export.saved_model import write_saved_model
from modelspec.data.concatenated import Array
from modelspec.problems.errors import ModelError
from modelspec.results.export import NEEDS_FLEX

_FLEX = re.compile(r"(?:TF Select ops|Flex ops): ([\w, ]+)")


def write_litert(
    model: Any,
    path: Path,
    *,
    allow_flex: bool = False,
    rows: Mapping[str, Array] = MappingProxyType({}),
) -> list[str]:
    """Write a model with one signature, ``serving_default``.

    A model whose loops need a known number of rows, as recurrent layers do, takes one row at a
    time.

    Args:
        model: A functional model.
        path: The file.
        allow_flex: Allow operations of TensorFlow, which the plain runtime does not have.
        rows: Rows of each input, by name, from which the ranges of 8-bit integers are measured;
            without any, the weights stay as they are.

    Returns:
        Notes about the file.

    Raises:
        ModelError: LiteRT cannot represent the model.
    """
    attempts: list[tuple[int | None, bool, list[str]]] = [
        (None, False, []),
        (1, False, ["the file takes one row at a time, because a loop in the model needs it"]),
    ]
    if allow_flex:
        attempts.append((None, True, [NEEDS_FLEX]))
    said: list[str] = []
    for batch, flex, notes in attempts:
        try:
            path.write_bytes(_converted(model, batch, rows, allow_flex=flex))
        except ConversionError as error:
            said.append(str(error))
        else:
            return notes
    raise ModelError(_refusal(said, allow_flex=allow_flex, int8=bool(rows)))


def _converted(
    model: Any, batch: int | None, rows: Mapping[str, Array], *, allow_flex: bool
) -> bytes:
    with tempfile.TemporaryDirectory(prefix="modelspec-export-") as folder:
        write_saved_model(model, Path(folder), batch=batch)
        return (convert_elsewhere if rows else convert)(Path(folder), rows, allow_flex=allow_flex)


def _refusal(said: list[str], *, allow_flex: bool, int8: bool) -> str:
    """Why LiteRT cannot represent a model, from what the converter said of each attempt."""
    operations = {
        name.strip()
        for text in said
        for listed in _FLEX.findall(text)
        for name in listed.split(",")
    }
    if operations - {""} and not allow_flex:
        return (
            f"LiteRT has no {', '.join(sorted(operations - {''}))}, which the model needs; "
            "--allow-flex takes TensorFlow's, and the file then needs a runtime that has them"
        )
    lines = [line for line in said[-1].splitlines() if "error: " in line] or said[-1].splitlines()
    why = re.sub(r"^.*?error: ", "", lines[0])[:300] if lines else "no reason is given"
    hint = "; without --int8 it may" if int8 else "" if allow_flex else "; --allow-flex may help"
    return f"LiteRT cannot represent the model: {why}{hint}"

"""A model as a LiteRT file (``.tflite``)."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modelspec.backend.export.litert_conversion import (
    Bits8,
    ConversionError,
    convert,
    convert_elsewhere,
)
from modelspec.backend.export.loops import steps_of_loops, unrolled
from modelspec.backend.export.saved_model import write_saved_model
from modelspec.data.concatenated import Array
from modelspec.problems.errors import ModelError
from modelspec.results.export import NEEDS_FLEX

_MOST_STEPS = 200
"""The most steps for which loops are unrolled, because each step makes the file larger."""

_SHARE = 0.6
"""The largest size of a file with unrolled loops, as a part of the weights in 32 bits."""

_ONE_ROW = "the file takes one row at a time, because a loop in the model needs it"
_UNROLLED = "the steps of recurrent layers are written out one by one, so that they are 8-bit too"
_WEIGHTS_ALONE = (
    "only the weights are 8-bit integers: TensorFlow's converter measures no values in loops, and "
    "steps that are written out would not make the file small"
)
_NOT_THE_REST = (
    "only the weights are 8-bit integers, because TensorFlow's converter refuses the rest"
)
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
            without any, no value becomes an integer. Where the converter cannot measure loops,
            only the weights become integers.

    Returns:
        Notes about the file.

    Raises:
        ModelError: LiteRT cannot represent the model.
    """
    said: list[str] = []
    for attempt in _attempts(model, allow_flex=allow_flex, int8=bool(rows)):
        try:
            raw = _converted(model, attempt, rows)
        except ConversionError as error:
            said.append(str(error))
            continue
        if attempt.unroll and len(raw) > _SHARE * 4 * model.count_params():
            said.append(f"with the steps written out, the file has {len(raw):,} bytes")
            continue
        path.write_bytes(raw)
        return list(attempt.notes)
    raise ModelError(_refusal(said, allow_flex=allow_flex, int8=bool(rows)))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One way to convert a model; ``bits8`` selects the values that become 8-bit integers."""

    bits8: Bits8 = "nothing"
    batch: int | None = None
    flex: bool = False
    unroll: bool = False
    notes: tuple[str, ...] = ()


def _attempts(model: Any, *, allow_flex: bool, int8: bool) -> Iterator[_Attempt]:
    """Yield ways to convert a model, the best first."""
    loops = steps_of_loops(model) if int8 else ()
    bits8: Bits8 = "all" if int8 else "nothing"
    if not loops:
        yield _Attempt(bits8)
    elif sum(_MOST_STEPS if steps is None else steps for steps in loops) < _MOST_STEPS:
        yield _Attempt(bits8, unroll=True, notes=(_UNROLLED,))
    if not loops:
        yield _Attempt(bits8, batch=1, notes=(_ONE_ROW,))
    if int8:
        note = _WEIGHTS_ALONE if loops else _NOT_THE_REST
        yield _Attempt("weights", notes=(note,))
        yield _Attempt("weights", batch=1, notes=(note, _ONE_ROW))
    if allow_flex:
        yield _Attempt(bits8, flex=True, notes=(NEEDS_FLEX,))


def _converted(model: Any, attempt: _Attempt, rows: Mapping[str, Array]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="modelspec-export-") as folder:
        with unrolled(model) if attempt.unroll else nullcontext():
            try:
                write_saved_model(model, Path(folder), batch=attempt.batch)
            except ValueError as error:
                if not attempt.unroll:
                    raise
                raise ConversionError(str(error)) from error
        if attempt.bits8 == "nothing":
            return convert(Path(folder), {}, allow_flex=attempt.flex)
        return convert_elsewhere(
            Path(folder), rows if attempt.bits8 == "all" else {}, allow_flex=attempt.flex
        )


def _refusal(said: list[str], *, allow_flex: bool, int8: bool) -> str:
    """Return why LiteRT cannot represent a model, from the converter's message on each attempt."""
    operations = {
        name.strip()
        for text in said
        for listed in _FLEX.findall(text)
        for name in listed.split(",")
    }
    if operations - {""} and not allow_flex:
        return (
            f"LiteRT has no {', '.join(sorted(operations - {''}))}, which the model needs; "
            "--allow-flex uses TensorFlow's, and the file then needs a runtime that has them"
        )
    lines = [line for line in said[-1].splitlines() if "error: " in line] or said[-1].splitlines()
    why = re.sub(r"^.*?error: ", "", lines[0])[:300] if lines else "no reason is given"
    hint = "; without --int8 it may" if int8 else "" if allow_flex else "; --allow-flex may help"
    return f"LiteRT cannot represent the model: {why}{hint}"

"""Export: a spec, a run or a ``.keras`` file → a file of another runtime, with proof."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from json import dumps
from pathlib import Path
from typing import Any

from modelspec.api.evaluation import compiled_model
from modelspec.api.export_rows import ExportRows, calibration_rows
from modelspec.api.inference_data import Warn
from modelspec.api.target import Model, target_of
from modelspec.data.shards import Data, Say
from modelspec.problems.errors import ModelError
from modelspec.results.export import Format, Proof, Subject
from modelspec.storage.atomic import replacing

SUFFIXES: Mapping[Format, str] = {"saved_model": "", "onnx": ".onnx", "litert": ".tflite"}

_NEEDED: Mapping[Format, tuple[str, ...]] = {
    "saved_model": (),
    "onnx": ("onnx", "onnxruntime", "tf2onnx"),
    "litert": ("ai_edge_litert",),
}
"""The packages of each format; the extra with them has the same name."""


class ExportError(ModelError):
    """The outputs of a file differ from those of the model; ``proof`` contains the differences."""

    def __init__(self, proof: Proof) -> None:
        self.proof = proof
        names = ", ".join(output.name for output in proof.outputs if not output.passed)
        super().__init__(
            f"the {proof.format} file differs from the model in {names} by more than "
            f"{proof.tolerance:g} of its values, so it is not written; --force writes it"
        )


@dataclass(frozen=True, slots=True)
class _Options:
    opset: int | None
    allow_flex: bool
    int8: bool


def export(
    target: Model,
    form: Format,
    path: str | Path | None = None,
    *,
    data: Data | None = None,
    opset: int | None = None,
    allow_flex: bool = False,
    int8: bool = False,
    force: bool = False,
    say: Say | None = None,
    warn: Warn | None = None,
) -> Proof:
    """Write the model of a target for another runtime, run the file there, and compare.

    The proof is also written as JSON, to ``PATH.json``.

    Args:
        target: A run, a ``.keras`` file or a spec: its path, or what ``load`` and ``open_target``
            return.
        form: ``saved_model`` (a folder), ``onnx`` or ``litert``.
        path: The file; by default the name of the model with the suffix of the format.
        data: An npz file or a table, a folder of them, a list of both, or a mapping from names to
            arrays. The first rows of the test part are compared, at most 10,000 and 256 MB. Without
            data, 8 random rows that fit the inputs are compared.
        opset: The version of ONNX's operators.
        allow_flex: Allow a LiteRT file to use operations of TensorFlow, which the plain runtime
            does not have.
        int8: Let a LiteRT file compute with 8-bit integers. Their ranges are measured on training
            rows, so ``data`` is required.
        force: Keep a file that differs from the model.
        say: Receives notes: the arrays in use, and arrays that are unpacked to the disk.
        warn: Receives the warnings about the data.

    Returns:
        The proof: the differences between the outputs of the file and of the model.

    Raises:
        SpecError: The spec has errors, or the data does not fit the model.
        ModelError: The format cannot represent the model, a package is missing, or the file's
            outputs differ from the model's (``ExportError``).
        PluginError: The code of a plugin raises an exception.
        RunError: A folder contains no run, or the checkpoint of a run cannot be read.
        TypeError: ``target`` has another type.
        ValueError: The form is unknown.

    Example:
        >>> import modelspec
        >>> target = modelspec.open_target("specs/mlp.yaml")
        >>> proof = modelspec.export(target, "saved_model", "mlp", data="data/mlp.npz")
        >>> proof.passed, proof.path
        (True, 'mlp')
    """
    if form not in SUFFIXES:
        raise ValueError(f"form is one of {', '.join(SUFFIXES)}, not {form}")
    target = target_of(target)
    _require_packages(form)
    if path is not None:
        _require_room(Path(path), form)
    model = compiled_model(target, say) if data is not None else target.model(compiled=False)
    default = f"{model.name}{SUFFIXES[form] or '.saved_model'}"
    place = Path(default if path is None else path)
    _require_room(place, form)
    rows = ExportRows.of(target, model, data, say, warn)
    options = _Options(opset, allow_flex, int8)
    calibration = calibration_rows(target, model, data) if int8 else {}
    with _replacing(place, form) as aside:
        notes = _write(model, form, aside, options, calibration)
        subject = Subject(form, aside, int8=int8, notes=tuple(notes))
        proof = replace(_prove(model, subject, rows, force=force), path=str(place))
        if not proof.passed and not force:
            raise ExportError(proof)
    with replacing(place.with_name(f"{place.name}.json")) as aside:
        aside.write_text(dumps(proof.as_json(), indent=2) + "\n", "utf-8")
    return proof


def _write(
    model: Any,
    form: Format,
    path: Path,
    options: _Options,
    calibration: dict[str, Any],
) -> list[str]:
    """Write the file of a format, and return notes about it."""
    from modelspec.storage.silence import silent_stderr

    with silent_stderr():
        if form == "saved_model":
            from modelspec.backend.export.saved_model import write_saved_model

            write_saved_model(model, path)
            return []
        if form == "onnx":
            from modelspec.backend.export.onnx import write_onnx

            return write_onnx(model, path, opset=options.opset)
        from modelspec.backend.export.litert import write_litert

        return write_litert(model, path, allow_flex=options.allow_flex, rows=calibration)


def _prove(model: Any, subject: Subject, rows: ExportRows, *, force: bool) -> Proof:
    """Prove a file; with ``force`` and no runtime, return a proof without outputs."""
    from modelspec.backend.export.proof import NoRuntimeError, prove

    try:
        return prove(subject, model, rows.batches, from_data=rows.from_data, judged=rows.judged)
    except NoRuntimeError as error:
        if not force:
            message = f"{error}. It was not compared, so it is not written; --force writes it"
            raise ModelError(message) from error
        notes = (*subject.notes, f"the file was not compared with the model: {error}")
        return Proof(
            subject.format, str(subject.path), subject.path.stat().st_size, "none", 0,
            from_data=rows.from_data, int8=subject.int8, tolerance=0.0, outputs=(), before={},
            after={}, milliseconds_keras=0.0, milliseconds=0.0, notes=notes,
        )  # fmt: skip


def _require_packages(form: Format) -> None:
    missing = [name for name in _NEEDED[form] if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"the export to {form} needs {', '.join(missing)}: install the extra {form}"
        )


def _require_room(path: Path, form: Format) -> None:
    """Refuse a path that cannot be written, before the model is built.

    Raises:
        ModelError: The folder is missing, or the path is something else.
    """
    if not path.parent.is_dir():
        raise ModelError(f"{path}: there is no folder {path.parent}")
    if form == "saved_model":
        empty = path.is_dir() and not any(path.iterdir())
        if path.exists() and not empty and not (path / "saved_model.pb").is_file():
            raise ModelError(f"{path} is not a SavedModel, so it is not replaced")
    elif path.is_dir():
        raise ModelError(f"{path} is a folder")


@contextmanager
def _replacing(path: Path, form: Format) -> Iterator[Path]:
    """Yield a path to write to, which replaces ``path`` if no error is raised."""
    if form != "saved_model":
        with replacing(path) as aside:
            yield aside
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        yield aside
        if path.exists():
            path.rename(old)
        try:
            aside.rename(path)
        except OSError:
            old.rename(path)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)

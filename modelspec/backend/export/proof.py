"""The proof of an exported file: the same rows in Keras and in the file's own runtime."""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from modelspec.backend.export.judging import judge
from modelspec.backend.export.runtime import SLOW
from modelspec.backend.model.model_io import output_names
from modelspec.backend.training.predictors import predictor
from modelspec.data.batches import Batches
from modelspec.data.concatenated import Array
from modelspec.problems.errors import ModelError
from modelspec.results.export import Format, OutputProof, Proof, Subject

_PROGRAM = "modelspec.backend.export.runtime"

TOLERANCES: Mapping[Format, float] = {"saved_model": 1e-5, "onnx": 1e-4, "litert": 1e-4}
"""The largest relative difference of a float32 model, by format."""

HALF_TOLERANCE = 2e-2
"""The same for a model that computes in float16 or bfloat16."""

INT8_TOLERANCE = 0.2
"""The typical relative difference of a file of 8-bit integers."""

_NO_FLEX = "Select TensorFlow op"

_ABSOLUTE = 1e-6
"""The size that rounding alone can give to values that are 0 in Keras."""


class NoRuntimeError(ModelError):
    """There is no runtime for a file on this machine."""


def prove(
    subject: Subject, model: Any, batches: Batches, *, from_data: bool, judged: bool
) -> Proof:
    """Run a file in a separate process, and compare its outputs with those of Keras.

    Args:
        subject: The file.
        model: The functional model that the file was made from.
        batches: The rows.
        from_data: Says whether the rows are the user's.
        judged: Says whether the batches have targets and the model is compiled.

    Raises:
        NoRuntimeError: No runtime here can run the file.
        ModelError: The runtime refuses the file, or the file has other names.
    """
    wanted, keras_seconds = _keras(model, batches)
    response, outputs = _in_runtime(subject, model, batches)
    tolerance = _tolerance(subject, model)
    compared = tuple(
        compare(name, wanted[name], outputs[name], tolerance, int8=subject.int8) for name in wanted
    )
    return Proof(
        format=subject.format,
        path=str(subject.path),
        bytes=_size(subject.path),
        runtime=response["runtime"],
        rows=batches.samples,
        from_data=from_data,
        int8=subject.int8,
        tolerance=tolerance,
        outputs=compared,
        before=judge(model, batches, wanted) if judged else {},
        after=judge(model, batches, outputs) if judged else {},
        milliseconds_keras=1000 * keras_seconds,
        milliseconds=1000 * response["seconds"],
        notes=subject.notes,
    )


def compare(
    name: str, wanted: Array, got: Array, tolerance: float, *, int8: bool = False
) -> OutputProof:
    """Compare an output of a file with Keras's; both have the sample as their first axis."""
    if wanted.shape != got.shape:
        return OutputProof(name, math.inf, math.inf, math.inf, None, passed=False)
    if wanted.dtype.kind in "OSU":
        return _compare_texts(name, wanted, got)
    a, b = (array.astype(np.float64) for array in (wanted, got))
    with np.errstate(invalid="ignore"):
        difference = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    difference = np.where(np.isnan(difference), np.inf, difference)
    units = a.shape[-1] if a.ndim > 1 else 1
    largest = difference.reshape(-1, units).max(axis=0, initial=0.0)
    scale = np.where(np.isfinite(a), np.abs(a), 0.0).reshape(-1, units).max(axis=0, initial=0.0)
    relative = np.divide(largest, scale, out=np.where(largest > 0, np.inf, 0.0), where=scale > 0)
    typical = _typical(difference, a)
    same = float(np.mean(a.argmax(-1) == b.argmax(-1))) if units > 1 else None
    passed = bool(np.all(largest <= _ABSOLUTE + tolerance * scale))
    if int8:
        passed = typical <= tolerance or float(largest.max()) <= _ABSOLUTE
    return OutputProof(name, float(largest.max()), float(relative.max()), typical, same, passed)


def _compare_texts(name: str, wanted: Array, got: Array) -> OutputProof:
    """Compare texts, which a runtime returns as bytes or as strings."""
    pairs = zip(wanted.ravel().tolist(), got.ravel().tolist(), strict=True)
    differs = math.inf if any(_text(one) != _text(other) for one, other in pairs) else 0.0
    return OutputProof(name, differs, differs, differs, None, passed=not differs)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _typical(difference: Array, wanted: Array) -> float:
    """Return the root mean square of differences, divided by that of the values."""
    values = np.where(np.isfinite(wanted), wanted, 0.0)
    size = float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
    error = float(np.sqrt(np.mean(np.square(difference)))) if values.size else 0.0
    return error / size if size else (math.inf if error else 0.0)


def _tolerance(subject: Subject, model: Any) -> float:
    if subject.int8:
        return INT8_TOLERANCE
    computed = (getattr(layer, "compute_dtype", "") or "" for layer in model.layers)
    if any(dtype.endswith("float16") for dtype in computed):
        return HALF_TOLERANCE
    return TOLERANCES[subject.format]


def _keras(model: Any, batches: Batches) -> tuple[dict[str, Array], float]:
    """Return Keras's outputs, and the seconds for one row, as ``_run`` of the runtime's program."""
    predict, samples, size = predictor(model), batches.samples, batches.batch_size
    first = batches.gather(np.arange(1))
    predict(first)
    started = time.perf_counter()
    predict(first)
    if time.perf_counter() - started < SLOW:
        predict(batches.gather(np.arange(min(size, samples))))
        predict(batches.gather(np.arange(samples - (samples % size or 1), samples)))
    started = time.perf_counter()
    parts = [predict(batch) for batch in batches.in_order(np.arange(batches.samples))]
    seconds = (time.perf_counter() - started) / batches.samples
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, seconds


def input_arrays(model: Any, batches: Batches) -> Iterator[tuple[str, Array]]:
    """Yield all rows of each input of a model, by name, with as many axes as the model declares.

    Keras adds or drops a last axis of 1; other runtimes do not.
    """
    batch = batches.gather(np.arange(batches.samples))
    for tensor in model.inputs:
        array, axes = batch.inputs[tensor.name], len(tensor.shape)
        if array.ndim + 1 == axes and tensor.shape[-1] == 1:
            array = array[..., None]
        elif array.ndim == axes + 1 and array.shape[-1] == 1:
            array = array[..., 0]
        yield tensor.name, array


def _in_runtime(
    subject: Subject, model: Any, batches: Batches
) -> tuple[dict[str, Any], dict[str, Array]]:
    arrays = dict(input_arrays(model, batches))
    strings = any(array.dtype.kind == "O" for array in arrays.values())
    request = {
        "runtime": f"{subject.format}-flex" if subject.needs_flex else subject.format,
        "path": str(subject.path.absolute()),
        "inputs": list(arrays),
        "batch": batches.batch_size,
        "strings": strings,
    }
    with tempfile.TemporaryDirectory(prefix="modelspec-export-") as name:
        folder = Path(name)
        (folder / "request.json").write_text(json.dumps(request), "utf-8")
        named: dict[str, Any] = {str(index): array for index, array in enumerate(arrays.values())}
        np.savez(folder / "inputs.npz", **named)
        _start(folder, flex=subject.needs_flex)
        response = json.loads((folder / "response.json").read_text("utf-8"))
        with np.load(folder / "outputs.npz") as stored:
            outputs = {name: stored[str(k)] for k, name in enumerate(response["outputs"])}
    _require_names(outputs, output_names(model))
    return response, outputs


def _start(folder: Path, *, flex: bool) -> None:
    # The child finds the same modules as this process, and no others.
    done = subprocess.run(  # noqa: S603 - our own program, with nothing from a spec in it
        [sys.executable, "-P", "-W", "ignore", "-m", _PROGRAM, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else f"exit code {done.returncode}"
        if flex and _NO_FLEX in said:
            raise NoRuntimeError(
                "the file needs TensorFlow's operations (Flex), which LiteRT's runtime for Python "
                f"has neither in ai-edge-litert {version('ai-edge-litert')} nor in TensorFlow "
                f"{version('tensorflow')}. Export saved_model, which contains them, or onnx, which "
                "has many of them. An app can run the file with the library "
                "tensorflow-lite-select-tf-ops (Android) or TensorFlowLiteSelectTfOps (iOS)"
            )
        raise ModelError(f"the runtime rejects the file: {said[:400]}")


def _require_names(outputs: Mapping[str, Array], names: Sequence[str]) -> None:
    if set(outputs) != set(names):
        raise ModelError(f"the file calls its outputs {', '.join(outputs)}, not {', '.join(names)}")


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())

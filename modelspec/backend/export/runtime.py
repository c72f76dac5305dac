"""A program that runs an exported file in its own runtime, without Keras.

It reads ``request.json`` and ``inputs.npz`` in the folder that it is given, and writes
``outputs.npz`` and ``response.json``. The arrays are named by their position.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelspec.backend.export.serving_name import SIGNATURE

Array = npt.NDArray[Any]

SLOW = 0.5
"""The seconds for a row above which the time to start is negligible."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file in its runtime: the names in its signature, and a function of named arrays.

    ``batch`` is the number of rows of a call; None for any number.
    """

    version: str
    inputs: list[str]
    outputs: list[str]
    run: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    batch: int | None = None


def load_saved_model(path: Path) -> Loaded:
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    function = model.signatures[SIGNATURE]
    types = _types(path)

    def run(arrays: Mapping[str, Array]) -> dict[str, Array]:
        tensors = {name: tf.cast(array, types[name]) for name, array in arrays.items()}
        assert model is not None  # its variables exist only as long as the model
        return {name: _array(tensor) for name, tensor in function(**tensors).items()}

    def _array(tensor: Any) -> Array:
        wide = tf.float32 if tensor.dtype == tf.bfloat16 else tensor.dtype
        array: Array = tf.cast(tensor, wide).numpy()
        return array

    version = f"TensorFlow {tf.__version__}"
    return Loaded(version, list(types), list(function.structured_outputs), run)


def _types(path: Path) -> dict[str, Any]:
    """Return the types of the inputs by their names in the file; a loaded function renames them."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    written = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    inputs = written.meta_graphs[0].signature_def[SIGNATURE].inputs
    return {name: tf.dtypes.as_dtype(tensor.dtype) for name, tensor in inputs.items()}


def load_onnx(path: Path) -> Loaded:
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = [value.name for value in session.get_outputs()]

    def run(arrays: Mapping[str, Array]) -> dict[str, Array]:
        # onnxruntime would convert bytes to their printed form.
        inputs = {name: _plain(array).astype(array.dtype) for name, array in arrays.items()}
        return dict(zip(outputs, session.run(None, inputs), strict=True))

    inputs = [value.name for value in session.get_inputs()]
    return Loaded(f"onnxruntime {onnxruntime.__version__}", inputs, outputs, run)


def load_litert(path: Path) -> Loaded:
    from importlib.metadata import version

    from ai_edge_litert.interpreter import Interpreter

    return _interpreted(Interpreter(str(path)), f"ai-edge-litert {version('ai-edge-litert')}")


def load_litert_flex(path: Path) -> Loaded:
    import tensorflow as tf

    return _interpreted(tf.lite.Interpreter(str(path)), f"TensorFlow {tf.__version__} with Flex")


def _interpreted(interpreter: Any, version: str) -> Loaded:
    runner = interpreter.get_signature_runner(SIGNATURE)
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    fixed = any(
        len(detail["shape_signature"]) and detail["shape_signature"][0] == 1
        for detail in inputs.values()
    )

    def run(arrays: Mapping[str, Array]) -> dict[str, Array]:
        results: dict[str, Array] = runner(**arrays)
        return results

    return Loaded(version, list(inputs), list(outputs), run, batch=1 if fixed else None)


LOADERS: Mapping[str, Callable[[Path], Loaded]] = {
    "saved_model": load_saved_model,
    "onnx": load_onnx,
    "litert": load_litert,
    "litert-flex": load_litert_flex,
}


def _run(loaded: Loaded, arrays: Mapping[str, Array], batch: int) -> tuple[list[Array], float]:
    """Return every output, and the seconds for one row.

    Every batch size is computed once before, unless a single row takes long.
    """
    samples = len(next(iter(arrays.values())))
    batch = loaded.batch or batch
    starts = range(0, samples, batch)

    def call(start: int) -> Mapping[str, Array]:
        return loaded.run({name: array[start : start + batch] for name, array in arrays.items()})

    first = {name: array[:1] for name, array in arrays.items()}
    loaded.run(first)
    started = time.perf_counter()
    loaded.run(first)
    if time.perf_counter() - started < SLOW:
        for start in {0, starts[-1]}:
            call(start)
    started = time.perf_counter()
    results = [call(start) for start in starts]
    seconds = (time.perf_counter() - started) / samples
    return [
        np.concatenate([result[name] for result in results]) for name in loaded.outputs
    ], seconds


def _plain(array: Array) -> Array:
    """Return an array that can be saved without pickle: texts as NumPy's own."""
    if array.dtype != object:
        return array
    texts = [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in array.ravel()
    ]
    return np.asarray(texts, np.str_).reshape(array.shape)


def main(folder: Path) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    request = json.loads((folder / "request.json").read_text("utf-8"))
    loaded = LOADERS[request["runtime"]](Path(request["path"]))
    with np.load(folder / "inputs.npz", allow_pickle=request["strings"]) as stored:
        inputs = [stored[str(index)] for index in range(len(request["inputs"]))]
    arrays = dict(zip(request["inputs"], inputs, strict=True))
    unknown = set(arrays) ^ set(loaded.inputs)
    if unknown:
        raise LookupError(f"the inputs of the file are {loaded.inputs}, not {list(arrays)}")
    outputs, seconds = _run(loaded, arrays, request["batch"])
    named: dict[str, Any] = {str(index): _plain(array) for index, array in enumerate(outputs)}
    np.savez(folder / "outputs.npz", **named)
    response = {"runtime": loaded.version, "outputs": loaded.outputs, "seconds": seconds}
    (folder / "response.json").write_text(json.dumps(response), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""SavedModel → the bytes of a LiteRT file.

As a program, it converts in a separate process, because a signal can end TensorFlow's converter
while it measures the ranges of 8-bit integers.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from modelspec.backend.export.serving_name import SIGNATURE
from modelspec.data.concatenated import Array

_PROGRAM = "modelspec.backend.export.litert_conversion"


Bits8 = Literal["nothing", "weights", "all"]
"""The values that become 8-bit integers."""


class ConversionError(Exception):
    """The converter refused a model; the message is the converter's."""


def convert(
    saved_model: Path, rows: Mapping[str, Array], *, allow_flex: bool, bits8: Bits8 = "nothing"
) -> bytes:
    """Convert a SavedModel to a LiteRT file.

    Args:
        saved_model: The folder.
        rows: Rows of each input, by name, from which the ranges of 8-bit integers are measured.
        allow_flex: Allow operations of TensorFlow.
        bits8: The values that become 8-bit integers; ``all`` needs rows.

    Raises:
        ConversionError: The converter refuses the model.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved_model), signature_keys=[SIGNATURE]
    )
    operations = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if bits8 != "nothing":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if bits8 == "all":
        converter.representative_dataset = _calibration(rows)
        operations.insert(0, tf.lite.OpsSet.TFLITE_BUILTINS_INT8)
    if allow_flex:
        operations.append(tf.lite.OpsSet.SELECT_TF_OPS)
    converter.target_spec.supported_ops = operations
    try:
        raw: bytes = converter.convert()
    except Exception as error:  # converters raise any type
        raise ConversionError(str(error)) from error
    return raw


def convert_elsewhere(saved_model: Path, rows: Mapping[str, Array], *, allow_flex: bool) -> bytes:
    """Convert to 8-bit integers in another process; only the weights where there are no rows.

    Raises:
        ConversionError: The converter refuses the model, or its process ends.
    """
    with tempfile.TemporaryDirectory(prefix="modelspec-export-") as name:
        folder = Path(name)
        request = {"path": str(saved_model), "inputs": list(rows), "allow_flex": allow_flex}
        (folder / "request.json").write_text(json.dumps(request), "utf-8")
        named: dict[str, Any] = {str(index): array for index, array in enumerate(rows.values())}
        np.savez(folder / "rows.npz", **named)
        # The child finds the same modules as this process, and no others.
        done = subprocess.run(  # noqa: S603 - our own program, with nothing from a spec in it
            [sys.executable, "-P", "-W", "ignore", "-m", _PROGRAM, name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        if (folder / "refusal").exists():
            raise ConversionError((folder / "refusal").read_text("utf-8"))
        if done.returncode < 0:
            raise ConversionError(f"the converter was ended by signal {-done.returncode}")
        return (folder / "model.tflite").read_bytes()


def main(folder: Path) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    request = json.loads((folder / "request.json").read_text("utf-8"))
    with np.load(folder / "rows.npz") as stored:
        rows = {name: stored[str(index)] for index, name in enumerate(request["inputs"])}
    bits8: Bits8 = "all" if rows else "weights"
    try:
        raw = convert(Path(request["path"]), rows, allow_flex=request["allow_flex"], bits8=bits8)
    except ConversionError as error:
        (folder / "refusal").write_text(str(error), "utf-8")
    else:
        (folder / "model.tflite").write_bytes(raw)


def _calibration(
    rows: Mapping[str, Array],
) -> Callable[[], Iterator[tuple[str, dict[str, Array]]]]:
    def one_by_one() -> Iterator[tuple[str, dict[str, Array]]]:
        for row in range(len(next(iter(rows.values())))):
            yield SIGNATURE, {name: array[row : row + 1] for name, array in rows.items()}

    return one_by_one


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The light start gives TensorFlow's verdict: what only TensorFlow offers is judged there."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HEAD = "modelspec: 1\ninputs: {x: {shape: [4, 4, 3], dtype: int32}}\nlayers:\n  - "
TAIL = "\n    name: y\noutputs: y\n"


@pytest.mark.process
@pytest.mark.parametrize(
    "layer",
    [
        "IntegerLookup: {vocabulary: [1, 2]}",
        pytest.param("Hashing: {num_bins: 8}", marks=pytest.mark.sweep),
        pytest.param("BatchNormalization: {synchronized: true}", marks=pytest.mark.sweep),
        # Keras 3.14 cannot call Hashing in it.
        "TimeDistributed: {layer: {BatchNormalization: {synchronized: true}}}",
        pytest.param("Pipeline: {layers: [{Rescaling: {scale: 0.5}}]}", marks=pytest.mark.sweep),
    ],
)
@pytest.mark.parametrize("command", ["check", pytest.param("summary", marks=pytest.mark.sweep)])
def test_what_needs_tensorflow(layer: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(HEAD + layer + TAIL, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "modelspec", command, "spec.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


TOP = """
modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - Dense: {units: 3, activation: softmax}
    name: y
outputs: y
losses: LOSS
metrics: [METRIC]
training: {precision: PRECISION}
"""
SPARSE = "SparseTopKCategoricalAccuracy: {k: 2}"


@pytest.mark.process
@pytest.mark.parametrize(
    ("precision", "metric", "code"),
    [
        *(
            pytest.param(*case, marks=pytest.mark.sweep)
            for case in (
                ("mixed_bfloat16", SPARSE, 1),
                ("mixed_float16", SPARSE, 1),
                ("float64", SPARSE, 1),
                ("float32", SPARSE, 0),
                ("mixed_bfloat16", "TopKCategoricalAccuracy: {k: 2}", 1),
                ("mixed_bfloat16", "accuracy", 0),
            )
        ),
    ],
)
def test_precisions_are_judged_by_tensorflow(
    precision: str, metric: str, code: int, tmp_path: Path
) -> None:
    """JAX computes the largest values of numbers that TensorFlow does not sort."""
    loss, ids = "sparse_categorical_crossentropy", np.arange(12) % 3
    one_hot = metric.startswith("TopK")
    text = TOP.replace("LOSS", loss.removeprefix("sparse_") if one_hot else loss)
    text = text.replace("PRECISION", precision).replace("METRIC", f"{{{metric}}}")
    text = text.replace("{accuracy}", "accuracy")
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    y = np.eye(3, dtype="f")[ids] if one_hot else ids
    np.savez(tmp_path / "d.npz", x=np.ones((12, 4), "f"), y=y)
    for verb in ("check", "train"):
        done = subprocess.run(
            [sys.executable, "-m", "modelspec", verb, "spec.yaml", "--data", "d.npz"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert code == 0 or "spec.yaml:9:11: error: " in done.stderr

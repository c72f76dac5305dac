"""The light start gives TensorFlow's verdict: what only TensorFlow offers is judged there."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAD = "modelspec: 1\ninputs: {x: {shape: [4, 4, 3], dtype: int32}}\nlayers:\n  - "
TAIL = "\n    name: y\noutputs: y\n"


@pytest.mark.process
@pytest.mark.parametrize(
    "layer",
    [
        "Hashing: {num_bins: 8}",
        "IntegerLookup: {vocabulary: [1, 2]}",
        "BatchNormalization: {synchronized: true}",
        "TimeDistributed: {layer: {Hashing: {num_bins: 8}}}",
        "Pipeline: {layers: [{Rescaling: {scale: 0.5}}]}",
    ],
)
@pytest.mark.parametrize("command", ["check", "summary"])
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

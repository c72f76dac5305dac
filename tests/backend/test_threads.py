"""One thread for each operation, where operations are small."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import modelspec
from modelspec.backend.training.threads import VARIABLE, all_small

pytestmark = [pytest.mark.keras, pytest.mark.process]

SPECS = Path(__file__).parents[2] / "specs"
SMALL = """
modelspec: 1
inputs: {text: {shape: [null], dtype: int32}}
layers:
  - Embedding: {input_dim: 50, output_dim: 8}
  - Bidirectional: {layer: {LSTM: {units: 32}}}
  - Dropout: {rate: 0.2}
  - Dense: {units: 3, activation: softmax}
    name: label
outputs: label
losses: sparse_categorical_crossentropy
training: {epochs: 2, batch_size: 64}
"""


def small(text: str) -> bool:
    source = modelspec.loads(text)
    assert source.graph
    assert source.spec
    return all_small(source.graph, source.spec.training.batch_size)


def test_a_small_recurrent_model_is() -> None:
    assert small(SMALL)
    assert small((SPECS / "question_answering.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("units: 32", "units: 256"),
        ("batch_size: 64", "batch_size: 512"),
        ("input_dim: 50", "input_dim: 1000000"),
        ("units: 3,", "units: 5000,"),
        ("Dropout: {rate: 0.2}", "Attention"),
        ("Bidirectional: {layer: {LSTM: {units: 32}}}", "GlobalMaxPooling1D"),
        ("LSTM: {units: 32}", "RNN: {cell: {LSTMCell: {units: 32}}}"),
    ],
)
def test_others_are_not(old: str, new: str) -> None:
    assert old in SMALL
    assert not small(SMALL.replace(old, new))


@pytest.mark.sweep
@pytest.mark.parametrize("threads", ["4", "2"])
def test_the_numbers_are_the_same_whatever_the_threads(tmp_path: Path, threads: str) -> None:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "text": random.integers(0, 50, (300, 20), dtype=np.int32),
        "label": random.integers(0, 3, 300),
    }
    np.savez(tmp_path / "data.npz", **arrays)
    (tmp_path / "spec.yaml").write_text(SMALL, encoding="utf-8")
    digests = []
    for number in ("1", threads):
        run = tmp_path / f"on-{number}"
        command = [sys.executable, "-m", "modelspec", "train", "spec.yaml", "--data", "data.npz"]
        subprocess.run(
            [*command, "--run", run, "--quiet"],
            cwd=tmp_path,
            env=os.environ | {VARIABLE: number},
            check=True,
            capture_output=True,
        )
        weights = keras.saving.load_model(run / "model.keras").get_weights()
        digests.append(hashlib.sha256(b"".join(array.tobytes() for array in weights)).hexdigest())
    assert digests[0] == digests[1]

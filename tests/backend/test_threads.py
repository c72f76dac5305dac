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
from modelspec.backend.training.threads import INTEROP, INTRAOP, all_small, set_threads

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
TEXT = """
modelspec: 1
inputs: {text: {shape: [], dtype: string}}
layers:
  - TextVectorization: {max_tokens: 5000, output_sequence_length: 60}
    adapt: true
  - Embedding: {input_dim: 5000, output_dim: 32, mask_zero: true}
  - GlobalAveragePooling1D
  - Dense: {units: 16, activation: relu}
  - Dense: {units: 3, activation: softmax}
    name: label
outputs: label
losses: sparse_categorical_crossentropy
optimizer: adam
training: {epochs: 3, batch_size: 32}
"""


def small(text: str) -> bool:
    source = modelspec.loads(text)
    assert source.graph
    assert source.spec
    return all_small(source.graph, source.spec.training.batch_size)


def test_a_small_recurrent_model_is() -> None:
    assert small(SMALL)
    assert small(TEXT)
    assert small((SPECS / "question_answering.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "variables"),
    [(SMALL, [INTRAOP]), (TEXT, [INTRAOP, INTEROP]), (TEXT.replace("60", "600"), [])],
    ids=["recurrent", "text", "large"],
)
def test_one_thread_for_small_operations_and_one_operation_at_a_time_for_texts(
    text: str, variables: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (INTRAOP, INTEROP):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    valid = modelspec.loads(text).require()
    set_threads(valid.graph, valid.spec.training.batch_size)
    assert [name for name in (INTRAOP, INTEROP) if os.environ.get(name) == "1"] == variables


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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (", output_sequence_length: 60", ""),
        ("output_sequence_length: 60", "output_sequence_length: 600"),
        ("output_dim: 32", "output_dim: 64"),
        ("input_dim: 5000", "input_dim: 500000"),
        ("GlobalAveragePooling1D", "Conv1D: {filters: 4, kernel_size: 3}"),
        ("units: 16", "units: 5000"),
    ],
)
def test_other_texts_are_not(old: str, new: str) -> None:
    assert old in TEXT
    assert not small(TEXT.replace(old, new))


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("threads", "text"), [("4", SMALL), ("2", SMALL), ("4", TEXT)], ids=["4", "2", "text"]
)
def test_the_numbers_are_the_same_whatever_the_threads(
    tmp_path: Path, threads: str, text: str
) -> None:
    random = np.random.default_rng(0)
    texts = random.integers(0, 50, (300, 20), dtype=np.int32)
    words = np.array([" ".join(f"word{(row * row) % 4001}" for row in rows) for rows in texts])
    arrays: dict[str, Any] = {
        "text": words if text is TEXT else texts,
        "label": random.integers(0, 3, 300),
    }
    np.savez(tmp_path / "data.npz", **arrays)
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    digests = []
    for number in ("1", threads):
        run = tmp_path / f"on-{number}"
        command = [sys.executable, "-m", "modelspec", "train", "spec.yaml", "--data", "data.npz"]
        subprocess.run(
            [*command, "--run", run, "--quiet"],
            cwd=tmp_path,
            env=os.environ | {INTRAOP: number},
            check=True,
            capture_output=True,
        )
        weights = keras.saving.load_model(run / "model.keras").get_weights()
        digests.append(hashlib.sha256(b"".join(array.tobytes() for array in weights)).hexdigest())
    assert digests[0] == digests[1]

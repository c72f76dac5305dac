"""Rows of which a mask leaves no step: the reason, the row and the line, in place of NaN."""

from pathlib import Path

import numpy as np
import pytest

import modelspec
from modelspec.problems.errors import ModelError

pytestmark = pytest.mark.keras

SPEC = """
modelspec: 1
inputs: {review: {shape: [], dtype: string}}
layers:
  - {TextVectorization: {vocabulary: [good, bad, film], output_sequence_length: 3}, name: ids}
  - {Embedding: {input_dim: 5, output_dim: 4, mask_zero: true}, name: e}
  - {GlobalAveragePooling1D: , name: mean}
  - {Dense: {units: 1, activation: sigmoid}, name: y}
outputs: y
losses: binary_crossentropy
training: {epochs: 1, shuffle: false, batch_size: 2}
"""
TEXTS = np.array(["good film", "bad film", "good", " ", "bad"])
LABELS = np.array([1.0, 0, 1, 0, 0])
WHOLE = {"review": TEXTS[[0, 1, 2, 4]], "y": LABELS[[0, 1, 2, 4]]}


@pytest.mark.parametrize("precompute", ["true", "false"])
def test_training_names_the_row_and_the_layer(precompute: str, tmp_path: Path) -> None:
    spec = modelspec.loads(SPEC, [f"training.precompute={precompute}"])
    with pytest.raises(ModelError, match=r":7: layer mean: it averages no step of row 3,"):
        modelspec.train(spec, {"review": TEXTS, "y": LABELS}, run=tmp_path / "run")


def test_evaluation_and_predictions(tmp_path: Path) -> None:
    run = modelspec.train(modelspec.loads(SPEC), WHOLE, run=tmp_path / "run")
    target = modelspec.open_target(run.path)
    with pytest.raises(ModelError, match="layer mean: it averages no step of row 3,"):
        modelspec.evaluate(target, {"review": TEXTS, "y": LABELS})
    notes: list[str] = []
    made = modelspec.predict(target, {"review": TEXTS}, say=notes.append)
    assert np.isnan(made.arrays["y"]).ravel().tolist() == [False, False, False, True, False]
    assert ["layer mean" in note for note in notes] == [True]
    assert modelspec.predict(target, WHOLE, say=notes.append).arrays["y"].shape == (4, 1)
    assert len(notes) == 1

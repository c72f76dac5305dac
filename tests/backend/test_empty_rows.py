"""Rows of which a mask leaves no step: the reason, the row and the line, in place of NaN."""

from pathlib import Path

import keras
import numpy as np
import pytest

import modelspec
from modelspec.backend.training.empty_rows import _masked_layers
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
    with pytest.raises(ModelError, match=r":7: layer mean: row 3 gives NaN: all of its steps"):
        modelspec.train(spec, {"review": TEXTS, "y": LABELS}, run=tmp_path / "run")


def test_evaluation_and_predictions(tmp_path: Path) -> None:
    run = modelspec.train(modelspec.loads(SPEC), WHOLE, run=tmp_path / "run")
    target = modelspec.open_target(run.path)
    with pytest.raises(ModelError, match="layer mean: row 3 gives NaN"):
        modelspec.evaluate(target, {"review": TEXTS, "y": LABELS})
    notes: list[str] = []
    made = modelspec.predict(target, {"review": TEXTS}, say=notes.append)
    assert np.isnan(made.arrays["y"]).ravel().tolist() == [False, False, False, True, False]
    assert ["layer mean" in note for note in notes] == [True]
    assert modelspec.predict(target, WHOLE, say=notes.append).arrays["y"].shape == (4, 1)
    assert len(notes) == 1


PLUGIN = """
import keras

@keras.saving.register_keras_serializable(package="empty")
class Mean(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, inputs, mask=None):
        weights = keras.ops.cast(mask[..., None], inputs.dtype)
        total = keras.ops.sum(weights * inputs, axis=1)
        return self.scale * total / keras.ops.sum(weights, axis=1)

    def compute_mask(self, inputs, mask=None):
        return None
"""
INNER = "TimeDistributed: {layer: GlobalAveragePooling1D}\n  - ops.reshape: {newshape: [-1, 8]}"
IDS = """
modelspec: 1
MODELS
inputs: {ids: {shape: SHAPE, dtype: int32}}
layers:
  - {Embedding: {input_dim: 5, output_dim: 4, mask_zero: true}, name: e}
  - LAYER
  - {Dense: {units: 1}, name: y}
outputs: y
losses: mse
training: {epochs: 1, shuffle: false, batch_size: 2}
"""


def _spec(layer: str, shape: str, tmp_path: Path, models: str = "") -> modelspec.ModelSpec:
    (tmp_path / "mean.py").write_text(PLUGIN)
    text = IDS.replace("LAYER", layer).replace("SHAPE", shape).replace("MODELS", models)
    return modelspec.loads(text, plugins=[tmp_path / "mean.py"])


@pytest.mark.parametrize(("layer", "shape"), [("Mean", (3,)), (INNER, (2, 3))])
def test_every_layer_that_divides_by_steps(
    layer: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    ids = np.ones((5, *shape), np.int32)
    ids[3] = 0
    ids[3, : len(shape) - 1] = 1  # of two inner sequences, one is empty
    with pytest.raises(ModelError, match=r":7: layer \w+: row 3 gives NaN: all of its steps"):
        modelspec.train(
            _spec(layer, f"{[*shape]}", tmp_path),
            {"ids": ids, "y": np.ones(5)},
            run=tmp_path / "run",
        )


def test_a_model_as_a_layer(tmp_path: Path) -> None:
    ids = keras.Input((3,), dtype="int32")
    embedded = keras.layers.Embedding(5, 4, mask_zero=True)(ids)
    mean = keras.layers.GlobalAveragePooling1D(name="mean")(embedded)
    keras.Model(ids, mean).save(tmp_path / "m.keras")
    text = IDS.replace("SHAPE", "[3]").replace(
        "MODELS", f"models: {{trunk: {{path: {tmp_path / 'm.keras'}}}}}"
    )
    text = text.replace(
        "  - {Embedding: {input_dim: 5, output_dim: 4, mask_zero: true}, name: e}\n", ""
    )
    spec = modelspec.loads(text.replace("LAYER", "{trunk: , name: t}"))
    rows = np.ones((5, 3), np.int32)
    rows[2] = 0
    with pytest.raises(ModelError, match=r":6: layer t: row 2 gives NaN in mean: all of its steps"):
        modelspec.train(spec, {"ids": rows, "y": np.ones(5)}, run=tmp_path / "run")


def test_layers_that_take_empty_rows(tmp_path: Path) -> None:
    rows = np.ones((4, 3), np.int32)
    rows[2] = 0
    spec = _spec("BatchNormalization\n  - GRU: {units: 2}", "[3]", tmp_path)
    run = modelspec.train(spec, {"ids": rows, "y": np.ones(4)}, run=tmp_path / "run")
    assert np.isfinite(run.history[-1]["loss"])
    model = modelspec.open_target(run.path, plugins=[tmp_path / "mean.py"]).model()
    assert list(_masked_layers(model)) == []

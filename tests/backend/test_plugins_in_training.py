"""Code of plugins that goes wrong in training alone is told by check."""

from pathlib import Path

import numpy as np
import pytest

import modelspec

pytestmark = pytest.mark.keras

PLUGIN = """\
import keras
from keras.saving import register_keras_serializable

@register_keras_serializable(package="own")
class Narrow(keras.layers.Layer):
    def call(self, x, training=False):
        return x[:, :2] if training else x

@register_keras_serializable(package="own")
class Refuses(keras.layers.Layer):
    def call(self, x, training=False):
        if training:
            raise RuntimeError("not in training")
        return x * 2.0

@register_keras_serializable(package="own")
class Several(keras.metrics.Metric):
    def update_state(self, y_true, y_pred, sample_weight=None):
        pass
    def result(self):
        return {"a": 1.0, "b": 2.0}
"""
TEXT = """\
modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - LAYER
  - {Dense: {units: 1}, name: y}
outputs: y
losses: mse
metrics: METRIC
"""


@pytest.mark.parametrize(
    ("layer", "metric", "line", "words"),
    [
        ("Narrow", "mae", 4, "but the result is (None, 2)"),
        ("Refuses", "mae", 4, "not in training"),
        ("Flatten", "Several", 8, "a metric has one value"),
    ],
)
def test_check_tells_it(layer: str, metric: str, line: int, words: str, tmp_path: Path) -> None:
    plugin = tmp_path / "own.py"
    plugin.write_text(PLUGIN)
    text = TEXT.replace("LAYER", layer).replace("METRIC", metric)
    data = {"x": np.zeros((4, 4)), "y": np.zeros((4, 1))}
    problems = modelspec.loads(text, plugins=[plugin]).check(data)
    [error] = [problem for problem in problems if problem.severity == "error"]
    assert error.place.span.line == line
    assert words in error.message

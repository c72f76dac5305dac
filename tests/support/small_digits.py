"""A small model of the shipped digits, with a choice of layers and training, and a run's end."""

from pathlib import Path
from typing import Any

import numpy as np

import modelspec

DATA = Path(__file__).parents[2] / "data" / "digits.npz"


def digits_spec(name: str, layers: str, training: str) -> str:
    """Return the text of a spec; ``layers`` come before the output layer, both in block style."""
    return f"""
modelspec: 1
name: {name}
inputs: {{image: {{shape: [8, 8]}}}}
layers:
{layers.strip(chr(10))}
  - Dense: {{units: 10, activation: softmax}}
    name: digit
outputs: digit
losses: sparse_categorical_crossentropy
metrics: accuracy
optimizer: adam
{training.strip(chr(10))}
"""


def end(run: modelspec.Run) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the values that must be equal to the last bit: history, weights and optimizer."""
    import keras

    history = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in run.history]
    model = keras.saving.load_model(run.model_path)
    variables = [*model.weights, *model.optimizer.variables]
    return history, [np.asarray(variable).tobytes() for variable in variables]

"""Layers that take floats: what is refused is what Keras cannot compute."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml

import modelspec

pytestmark = pytest.mark.keras

CONV = "Conv2D: {filters: 2, kernel_size: 2}"


def spec(dtype: str, *layers: str) -> str:
    lines = "".join(f"  - {layer}\n" for layer in layers)
    return (
        f"modelspec: 1\ninputs: {{x: {{shape: [4, 4, 1], dtype: {dtype}}}}}\nlayers:\n{lines}"
        "  - Identity:\n    name: y\noutputs: y\n"
    )


def by_hand(layers: list[str], dtype: str) -> None:
    tensor = tf.constant(np.ones((2, 4, 4, 1)).astype(dtype))
    for layer in map(yaml.safe_load, layers):
        name, arguments = next(iter(layer.items())) if isinstance(layer, dict) else (layer, {})
        tensor = getattr(keras.layers, name)(**arguments)(tensor, **training(name))


def training(name: str) -> dict[str, bool]:
    return {"training": True} if name in {"Dropout", "GaussianNoise"} else {}


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
@pytest.mark.parametrize(
    "layers",
    [
        [CONV],
        ["Conv2DTranspose: {filters: 2, kernel_size: 2}"],
        ["DepthwiseConv2D: {kernel_size: 2}"],
        ["AveragePooling2D: {pool_size: 2}"],
        ["Dropout: {rate: 0.5}"],
        ["GaussianNoise: {stddev: 1.0}"],
        ["Softmax: {axis: 1}"],
        ["Reshape: {target_shape: [16, 1]}", "Conv1D: {filters: 2, kernel_size: 2}"],
        ["ZeroPadding2D", CONV],
    ],
)
def test_what_keras_cannot_compute(dtype: str, layers: list[str]) -> None:
    [problem] = modelspec.loads(spec(dtype, *layers)).problems
    assert (problem.code, problem.severity) == ("wrong-dtype", "error")
    assert problem.place.span.line == 3 + len(layers)
    assert dtype in problem.message
    with pytest.raises((TypeError, ValueError, tf.errors.OpError)):
        by_hand(layers, dtype)
    assert modelspec.loads(spec("float32", *layers)).problems == []


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
@pytest.mark.parametrize(
    "layers",
    [
        ["Rescaling: {scale: 0.5}", CONV],
        ["BatchNormalization", CONV],
        ["Flatten", "Dense: {units: 2}", "Dropout: {rate: 0.5}"],
        ["MaxPooling2D", "GlobalAveragePooling2D"],
        ["Flatten", "Embedding: {input_dim: 3, output_dim: 2}", "Softmax"],
        ["Reshape: {target_shape: [4, 4]}", "LSTM: {units: 2}"],
    ],
)
def test_what_keras_computes(dtype: str, layers: list[str]) -> None:
    assert modelspec.loads(spec(dtype, *layers)).problems == []
    by_hand(layers, dtype)

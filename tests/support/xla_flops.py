"""XLA's counts of operations in models, beside ours; prints JSON. Keras must run on JAX.

XLA counts a loop's body once, so recurrent layers are unrolled; it leaves out the padding of
convolutions, so these have none.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import jax
import keras
from keras import layers

from modelspec.backend.costs.costs import costs
from modelspec.backend.model.symbols import symbols_only

Model = Callable[[], Any]


def chain(shape: tuple[int, ...], *made: Any) -> Any:
    tensor = entry = keras.Input(shape)
    for layer in made:
        tensor = layer(tensor)
    return keras.Model(entry, tensor)


def attention(kind: Any, *shapes: tuple[int, ...]) -> Any:
    tensors = [keras.Input(shape) for shape in shapes]
    result = kind(tensors) if isinstance(kind, layers.Attention) else kind(*tensors)
    return keras.Model(tensors, result)


def two_branches() -> Any:
    left, right = keras.Input((50,)), keras.Input((50,))
    shared = layers.Dense(64, activation="tanh")
    joined = layers.Concatenate()([shared(left), shared(right)])
    return keras.Model([left, right], layers.Dense(20)(layers.Dropout(0.5)(joined)))


def nested() -> Any:
    inner = chain((40,), layers.Dense(30, activation="relu"), layers.Dense(20))
    frozen = keras.Sequential([keras.Input((20,)), layers.Dense(25)])
    frozen.trainable = False
    return chain((40,), inner, frozen, layers.Dense(10))


def dot() -> Any:
    left, right = keras.Input((12, 30)), keras.Input((15, 30))
    return keras.Model([left, right], layers.Dot(axes=(2, 2))([left, right]))


MODELS: dict[str, Model] = {
    "mlp": lambda: chain((64,), layers.Dense(32, "relu"), layers.Dense(32, "relu"),
                         layers.Dense(10, "softmax")),
    "dense of sequences": lambda: chain((20, 30), layers.Dense(50)),
    "einsum": lambda: chain((20, 30), layers.EinsumDense("abc,cde->abde", (None, 4, 8))),
    "einsum with dots": lambda: chain((6, 5, 30), layers.EinsumDense("...x,xy->...y", (40,))),
    "conv1d": lambda: chain((60, 16), layers.Conv1D(32, 5, activation="relu"),
                            layers.MaxPooling1D(2), layers.Conv1D(32, 3, dilation_rate=2)),
    "conv2d": lambda: chain((20, 20, 3), layers.Conv2D(16, 3, strides=2, activation="relu"),
                            layers.Conv2D(32, 3, groups=4), layers.Flatten(), layers.Dense(10)),
    "conv3d": lambda: chain((8, 8, 8, 2), layers.Conv3D(8, 3)),
    "depthwise": lambda: chain((20, 20, 8), layers.DepthwiseConv2D(3, depth_multiplier=2)),
    "separable": lambda: chain((20, 20, 8), layers.SeparableConv2D(16, 3, depth_multiplier=2)),
    "transpose": lambda: chain((12, 12, 8), layers.Conv2DTranspose(16, 3, strides=3)),
    "lstm": lambda: chain((4, 30), layers.LSTM(20, return_sequences=True, unroll=True),
                          layers.LSTM(25, unroll=True)),
    "gru": lambda: chain((4, 30), layers.GRU(20, unroll=True)),
    "simple rnn": lambda: chain((4, 30), layers.SimpleRNN(20, unroll=True)),
    "stacked cells": lambda: chain((4, 30), layers.RNN([layers.LSTMCell(20), layers.GRUCell(15)],
                                                        unroll=True)),
    "bidirectional": lambda: chain((4, 30), layers.Bidirectional(
        layers.GRU(20, unroll=True, return_sequences=True), merge_mode="sum")),
    "conv lstm": lambda: chain((3, 16, 16, 2), layers.ConvLSTM2D(8, 3, unroll=True)),
    "time distributed": lambda: chain((6, 20, 20, 3), layers.TimeDistributed(layers.Conv2D(8, 3))),
    "multi head": lambda: attention(layers.MultiHeadAttention(4, 16), (20, 32), (25, 40)),
    "grouped heads": lambda: attention(layers.GroupQueryAttention(16, 4, 2), (20, 32), (25, 32)),
    "attention": lambda: attention(layers.Attention(), (20, 32), (25, 32)),
    "additive attention": lambda: attention(layers.AdditiveAttention(), (20, 32), (25, 32)),
    "dot": dot,
    "batch normalization": lambda: chain((20, 20, 16), layers.Conv2D(32, 3),
                                         layers.BatchNormalization(), layers.ReLU(),
                                         layers.GlobalAveragePooling2D(), layers.Dense(10)),
    "layer normalization": lambda: chain((20, 32), layers.LayerNormalization(), layers.Dense(64)),
    "shared": two_branches,
    "nested": nested,
}  # fmt: skip
BATCH = 4


def counted(function: Callable[..., Any], model: Any) -> float:
    """Return the operations for one sample; nothing is compiled, and no array is created."""

    def symbol(shape: tuple[int, ...]) -> Any:
        return jax.ShapeDtypeStruct(shape, "float32")

    inputs = [symbol((BATCH, *tensor.shape[1:])) for tensor in model.inputs]
    learned = [symbol(variable.shape) for variable in model.trainable_variables]
    fixed = [symbol(variable.shape) for variable in model.non_trainable_variables]
    lowered = jax.jit(function).lower(learned, fixed, inputs if len(inputs) > 1 else inputs[0])
    analysis = lowered.cost_analysis()
    return float(analysis["flops"] + analysis.get("transcendentals", 0.0)) / BATCH


def forward(model: Any) -> float:
    return counted(lambda *values: model.stateless_call(*values)[0], model)


def training(model: Any) -> float:
    def loss(*values: Any) -> Any:
        results, _ = model.stateless_call(*values)
        return sum(keras.ops.sum(result) for result in keras.tree.flatten(results))

    return counted(jax.value_and_grad(loss), model)


def main() -> None:
    flops = {}
    for name, make in MODELS.items():
        with symbols_only():
            model = make()
        ours = costs(model, None)
        flops[name] = {"forward": [ours.flops, forward(model)]}
        if model.trainable_variables:
            flops[name]["training"] = [ours.training_flops, training(model)]
    json.dump(flops, sys.stdout)


if __name__ == "__main__":
    main()

"""Floating-point operations of one call of a Keras layer on one sample."""

import math
from dataclasses import replace
from typing import Any

import keras

from modelspec.backend.costs import sequence_flops
from modelspec.backend.costs.layer_calls import Call, Sizes
from modelspec.backend.costs.operation_flops import operation_flops
from modelspec.backend.costs.rules import (
    Rule,
    both_ways,
    class_names,
    per_element,
    rule_of,
    time_distributed,
)

_ACTIVATIONS = {
    "linear": 0,
    "softmax": sequence_flops.SOFTMAX,
    "log_softmax": sequence_flops.SOFTMAX,
    "gelu": 9,
    "silu": 2,
    "swish": 2,
}
"""Operations for each element; one for activations that are not listed."""


def flops(call: Call) -> int:
    """Return the operations of the forward pass; without a rule, one for each result element."""
    if not isinstance(call.layer, keras.Layer):
        return operation_flops(call)
    return rule_of(call.layer, _RULES)(call)


def training_flops(call: Call) -> int:
    """Return the operations of the forward pass and of the backward pass.

    The backward pass repeats each product once for the gradients of weights, where the layer is
    trained, and once for the gradients of its input, where an earlier layer is trained. A layer of
    several steps also has products inside; half of its operations are counted for them.
    """
    forward = flops(call)
    learns = bool(getattr(call.layer, "trainable_weights", None))
    twice = 2 * (learns + call.learned)
    if learns and not call.learned and class_names(call.layer) & _OF_STEPS:
        twice += 1
    return forward + forward * twice // 2


def kept(call: Call) -> int:
    """Return the number of elements of the forward pass that the backward pass needs."""
    if not isinstance(call.layer, keras.Layer):
        return call.elements
    return rule_of(call.layer, _KEPT)(call)


def _finish(call: Call) -> int:
    """Return the operations of the bias and the activation."""
    bias = bool(getattr(call.layer, "use_bias", getattr(call.layer, "bias_axes", None)))
    return (bias + _activation(call.layer)) * call.elements


def _activation(layer: Any) -> int:
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return _ACTIVATIONS.get(name, 1)


def _activated(call: Call) -> int:
    return _activation(call.layer) * call.elements


def _channels(layer: Any, shape: Sizes) -> int:
    return shape[0] if layer.data_format == "channels_first" else shape[-1]


def _dense(call: Call) -> int:
    return 2 * call.input[-1] * call.elements + _finish(call)


def _einsum_dense(call: Call) -> int:
    """Multiply the sizes of all labels; the kernel's are among those of the input and output."""
    operands, _, result = call.layer.equation.replace(" ", "").partition("->")
    sizes = _labelled(operands.partition(",")[0], call.input)
    sizes |= _labelled(result, call.outputs[0])
    return 2 * math.prod(sizes.values()) + _finish(call)


def _labelled(labels: str, shape: Sizes) -> dict[str, int]:
    """Return sizes by label, without the batch; ``...`` means all leading axes."""
    if not labels.startswith("..."):
        return dict(zip(labels[1:], shape, strict=True))
    named = labels[3:]
    start = len(shape) - len(named)
    return {"...": math.prod(shape[:start]), **dict(zip(named, shape[start:], strict=True))}


def _conv(call: Call) -> int:
    layer = call.layer
    taps = sequence_flops.window(layer) * _channels(layer, call.input) // int(layer.groups)
    return 2 * taps * call.elements + _finish(call)


def _depthwise(call: Call) -> int:
    return 2 * sequence_flops.window(call.layer) * call.elements + _finish(call)


def _separable(call: Call) -> int:
    layer = call.layer
    filters: int = layer.filters
    deep = call.elements // filters * _channels(layer, call.input) * int(layer.depth_multiplier)
    return 2 * deep * (sequence_flops.window(layer) + filters) + _finish(call)


def _conv_transpose(call: Call) -> int:
    taps = sequence_flops.window(call.layer) * int(call.layer.filters)
    return 2 * taps * math.prod(call.input) + _finish(call)


def _bidirectional(call: Call) -> int:
    joined = call.layer.merge_mode in ("sum", "mul", "ave")
    return both_ways(flops)(call) + (call.elements if joined else 0)


def _spectral_normalization(call: Call) -> int:
    weights: int = math.prod(call.layer.kernel.shape)
    return flops(replace(call, layer=call.layer.layer)) + weights


def _embedding(call: Call) -> int:
    """Return the operations of a lookup; or, with ``reverse``, of the scores of all entries."""
    entries: int = call.layer.input_dim if call.flags.get("reverse", False) else 0
    return 2 * math.prod(call.input) * entries


def _dot(call: Call) -> int:
    axes = call.layer.axes
    axis = axes if isinstance(axes, int) else axes[0]
    return 2 * call.inputs[0][axis - 1 if axis > 0 else axis] * call.elements


def _merge(call: Call) -> int:
    return max(len(call.inputs) - 1, 1) * call.elements


def _pooling(call: Call) -> int:
    window: int = math.prod(call.layer.pool_size)
    return window * call.elements


def _of_input(call: Call) -> int:
    return math.prod(call.input)


_MOVING = (
    *("InputLayer", "Reshape", "Flatten", "Permute", "Concatenate", "RepeatVector", "Identity"),
    *("Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"),
    *("UpSampling1D", "UpSampling2D", "UpSampling3D", "ActivityRegularization"),
    *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
    *("Hashing", "HashedCrossing", "IndexLookup", "TextVectorization"),
)
"""Layers that only move numbers, or draw them only in training."""

_OF_STEPS = {"RNN", "BaseSeparableConv", "MultiHeadAttention", "GroupedQueryAttention"}

_RULES: dict[str, Rule] = {
    **dict.fromkeys(_MOVING, per_element(0)),
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "BaseConv": _conv,
    "BaseDepthwiseConv": _depthwise,
    "BaseSeparableConv": _separable,
    "BaseConvTranspose": _conv_transpose,
    "RNN": sequence_flops.recurrent,
    **dict.fromkeys(sequence_flops.CELLS, sequence_flops.one_step),
    "ConvLSTM": sequence_flops.conv_lstm,
    "Bidirectional": _bidirectional,
    "TimeDistributed": time_distributed(flops),
    "SpectralNormalization": _spectral_normalization,
    "Attention": sequence_flops.attention,
    "AdditiveAttention": sequence_flops.additive_attention,
    "MultiHeadAttention": sequence_flops.multi_head,
    "GroupedQueryAttention": sequence_flops.multi_head,
    "Embedding": _embedding,
    "Dot": _dot,
    "Merge": _merge,
    "BatchNormalization": per_element(2),
    "LayerNormalization": per_element(8),
    "GroupNormalization": per_element(8),
    "RMSNormalization": per_element(4),
    "UnitNormalization": per_element(3),
    "Normalization": per_element(2),
    "Rescaling": per_element(2),
    "Softmax": per_element(sequence_flops.SOFTMAX),
    "Activation": _activated,
    "BasePooling": _pooling,
    "BaseGlobalPooling": _of_input,
    "BaseAdaptivePooling": _of_input,
}

_KEPT: dict[str, Rule] = {
    # These layers return their input.
    **dict.fromkeys(("Reshape", "Flatten", "Identity", "ActivityRegularization"), per_element(0)),
    "RNN": sequence_flops.recurrent_kept,
    "ConvLSTM": sequence_flops.conv_lstm_kept,
    "Bidirectional": both_ways(kept),
    "TimeDistributed": time_distributed(kept),
    "Attention": sequence_flops.attention_kept,
    "MultiHeadAttention": sequence_flops.multi_head_kept,
    "GroupedQueryAttention": sequence_flops.multi_head_kept,
}

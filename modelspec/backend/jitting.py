"""Whether XLA compiles a run's steps, told from the model and the length of the run alone.

XLA changes the last bits of a run's numbers, so no stopwatch may decide: the same spec and data
choose the same. The constants were measured on two cores; `modelspec/README.md` says how.
"""

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import keras

_PAYS = frozenset(
    {
        "Activation", "ActivityRegularization", "Add", "AlphaDropout", "Attention", "Average",
        "BatchNormalization", "CategoryEncoding", "Concatenate", "Dense", "Dot", "Dropout", "ELU",
        "EinsumDense", "Embedding", "Flatten", "GaussianDropout", "GaussianNoise",
        "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GroupNormalization", "Identity",
        "InputLayer", "LayerNormalization", "LeakyReLU", "Masking", "Maximum", "Minimum",
        "MultiHeadAttention", "Multiply", "Normalization", "PReLU", "Permute", "RMSNormalization",
        "ReLU", "RepeatVector", "Rescaling", "Reshape", "Softmax", "SpatialDropout1D", "Subtract",
        "TimeDistributed", "UnitNormalization",
    }
)  # fmt: skip
"""Layers that XLA is known to compile for the CPU, and to make quicker.

Convolutions and pooling become several times slower there, and recurrent layers take seconds to
compile; what is not named here is left to TensorFlow.
"""

Jit: TypeAlias = Literal["off", "steps", "loops"]
"""What XLA compiles: nothing, each step, or all steps of a call together."""

_SAVED_SECONDS = 30e-6
"""What XLA saves in a step, for each trainable variable: TensorFlow's cost of starting its ops."""

_COMPILE_SECONDS, _COMPILE_SECONDS_EACH = 0.35, 0.035
"""What XLA takes to compile a step, and more for each trainable variable."""


def pays(model: Any, steps: int) -> bool:
    """Whether XLA wins back in ``steps`` training steps what it takes to compile one."""
    if any(type(layer).__name__ not in _PAYS for layer in _layers(model)):
        return False
    variables = len(model.trainable_variables)
    cost = _COMPILE_SECONDS + _COMPILE_SECONDS_EACH * variables
    return _SAVED_SECONDS * variables * steps > cost


def extent(model: Any, *, jit: bool) -> Jit:
    """How much of training XLA compiles, where the spec or ``pays`` says that it does.

    Convolutions lose their quick form inside of XLA's loops, so theirs stay TensorFlow's.
    """
    if not jit:
        return "off"
    names = (type(layer).__name__ for layer in _layers(model))
    return "steps" if any("Conv" in name or "Pool" in name for name in names) else "loops"


def _layers(model: Any) -> Iterator[Any]:
    """Layers that do something, those inside of wrappers too."""
    for layer in model._flatten_layers(include_self=False):  # noqa: SLF001
        if not isinstance(layer, keras.Model):
            yield layer

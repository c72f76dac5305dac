"""The decision about XLA, which depends only on the model and the length of the run.

XLA changes the last bits of the results, so no time measurement may decide: the same spec and data
always give the same decision. The constants were measured on two cores; see `modelspec/README.md`.
"""

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal, TypeAlias

import keras

from modelspec.backend.keras_private import (
    MissingPartError,
    all_layers,
    compiled_losses,
    compiled_metrics,
)
from modelspec.backend.model.operations import inner_operations, operation_name
from modelspec.backend.training.eval_batch_size import is_own
from modelspec.backend.training.xla_random import missing_part
from modelspec.catalog.operation_facts import is_plain

_PAYS = frozenset(
    {
        "Activation", "ActivityRegularization", "Add", "AlphaDropout", "Attention", "Average",
        "BatchNormalization", "Concatenate", "Dense", "Dot", "Dropout", "ELU",
        "EinsumDense", "Embedding", "Flatten",
        "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GroupNormalization", "Identity",
        "InputLayer", "LayerNormalization", "LeakyReLU", "Masking", "Maximum", "Minimum",
        "MultiHeadAttention", "Multiply", "Normalization", "PReLU", "Permute", "RMSNormalization",
        "ReLU", "RepeatVector", "Rescaling", "Reshape", "Softmax", "SpatialDropout1D", "Subtract",
        "TimeDistributed", "UnitNormalization",
    }
)  # fmt: skip
"""Layers that XLA is known to compile for the CPU, and to make quicker.

Convolutions and pooling become several times slower there, and recurrent layers take seconds to
compile; and a GaussianNoise has other noise there; and a
CategoryEncoding cannot count there. What is not named is left to TensorFlow.
"""

Choice: TypeAlias = Literal["optimizer"] | bool
"""``training.jit`` once chosen: XLA compiles updates of large weights alone, all, or nothing."""

Jit: TypeAlias = Literal["off", "optimizer", "steps", "loops"]
"""The part that XLA compiles: nothing, large updates, each step, or all steps of a call."""

_SAVED_SECONDS = 40e-6
"""What XLA saves in a step, for each trainable variable: TensorFlow's cost of starting its ops."""

_COMPILE_SECONDS, _COMPILE_SECONDS_EACH = 0.2, 0.18
"""What XLA takes to compile a step, and more for each trainable variable."""


LARGE = 2**18
"""Elements of a weight whose update is bound by memory, not by the start of its operations."""

_UPDATE_SAVED_SECONDS, _UPDATE_COMPILE_SECONDS = 2e-9, 0.1
"""What XLA saves in the update of a large weight for each element; what it takes to compile it."""


def choose(model: Any, steps: int) -> Choice:
    """What XLA wins back in ``steps`` training steps, against what it takes to compile."""
    if find_obstacle(model) is None and _pays(model, steps):
        return True
    return "optimizer" if _updates_pay(model, steps) else False


def find_obstacle(model: Any) -> str | None:
    """Why XLA would change more of a model than last bits: a private part that is missing."""
    try:
        layers = list(_layers(model))
    except MissingPartError as error:
        return str(error)
    return missing_part() if any(map(_is_random, layers)) else None


def _is_random(layer: Any) -> bool:
    """Whether a layer draws random numbers: it holds the state of a generator."""
    return any(isinstance(value, keras.random.SeedGenerator) for value in vars(layer).values())


def is_large(variable: Any) -> bool:
    return bool(math.prod(variable.shape) >= LARGE)


def _updates_pay(model: Any, steps: int) -> bool:
    if isinstance(model.optimizer, keras.optimizers.SGD) and not model.optimizer.momentum:
        return False  # it is one pass as it is, over those rows alone that have a gradient
    sizes = [
        math.prod(variable.shape) for variable in model.trainable_variables if is_large(variable)
    ]
    saved = _UPDATE_SAVED_SECONDS * sum(sizes) * steps
    return bool(sizes) and saved > _UPDATE_COMPILE_SECONDS * len(sizes)


def _pays(model: Any, steps: int) -> bool:
    if any(type(layer).__name__ not in _PAYS for layer in _layers(model)):
        return False
    if not all(map(_is_plain, inner_operations(model))):
        return False
    if any(map(is_own, [*compiled_losses(model), *compiled_metrics(model)])):
        return False  # nobody knows whether XLA compiles it
    variables = len(model.trainable_variables)
    cost = _COMPILE_SECONDS + _COMPILE_SECONDS_EACH * variables
    return _SAVED_SECONDS * variables * steps > cost


def _is_plain(operation: Any) -> bool:
    """Whether an operation is arithmetic, a product or a move, which XLA compiles well."""
    name = operation_name(operation)
    return name is not None and is_plain(name)


def extent(model: Any, *, jit: Choice) -> Jit:
    """How much of training XLA compiles, by the choice of the spec or of ``choose``.

    Convolutions lose their quick form inside of XLA's loops, so theirs stay TensorFlow's.
    """
    if not jit:
        return "off"
    if jit == "optimizer":
        return jit
    names = (type(part).__name__ for part in chain(_layers(model), inner_operations(model)))
    return "steps" if any("Conv" in name or "Pool" in name for name in names) else "loops"


def _layers(model: Any) -> Iterator[Any]:
    """Layers that do something, those inside of wrappers too."""
    for layer in all_layers(model):
        if not isinstance(layer, keras.Model):
            yield layer

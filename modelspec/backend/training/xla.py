"""The decision about XLA, which depends only on the model and the length of the run.

XLA changes the last bits of the results, so no time measurement may decide: the same spec and data
always lead to the same decision. The constants were measured on two cores; see
`modelspec/README.md`.
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
"""Layers that XLA is known to compile for the CPU, and to make faster.

Convolutions and pooling become several times slower there, and recurrent layers take seconds to
compile; a GaussianNoise draws other noise, and a CategoryEncoding cannot count. All other layers
are left to TensorFlow.
"""

Choice: TypeAlias = Literal["optimizer"] | bool
"""``training.jit`` after the choice: XLA compiles only large updates, everything, or nothing."""

Jit: TypeAlias = Literal["off", "optimizer", "steps", "loops"]
"""The part that XLA compiles: nothing, large updates, each step, or all steps of a call."""

_SAVED_SECONDS = 40e-6
"""The time that XLA saves in a step for each trainable variable: fewer operations are started."""

_COMPILE_SECONDS, _COMPILE_SECONDS_EACH = 0.2, 0.18
"""The time to compile a step with XLA, and the additional time for each trainable variable."""


LARGE = 2**18
"""Elements of a weight whose update is limited by memory, not by the start of its operations."""

_UPDATE_SAVED_SECONDS, _UPDATE_COMPILE_SECONDS = 2e-9, 0.1
"""The time that XLA saves for each element of a large update; the time to compile it."""


def choose(model: Any, steps: int) -> Choice:
    """Choose XLA where it saves more time in ``steps`` training steps than it takes to compile."""
    if find_obstacle(model) is None and _pays(model, steps):
        return True
    return "optimizer" if _updates_pay(model, steps) else False


def find_obstacle(model: Any) -> str | None:
    """Return why XLA would change more of a model than last bits: a private part is missing."""
    try:
        layers = list(_layers(model))
    except MissingPartError as error:
        return str(error)
    return missing_part() if any(map(_is_random, layers)) else None


def _is_random(layer: Any) -> bool:
    """Return True where a layer has a random generator."""
    return any(isinstance(value, keras.random.SeedGenerator) for value in vars(layer).values())


def is_large(variable: Any) -> bool:
    return bool(math.prod(variable.shape) >= LARGE)


def _updates_pay(model: Any, steps: int) -> bool:
    if isinstance(model.optimizer, keras.optimizers.SGD) and not model.optimizer.momentum:
        return False  # it is already one pass, over the rows with a gradient
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
        return False  # XLA may not compile it
    variables = len(model.trainable_variables)
    cost = _COMPILE_SECONDS + _COMPILE_SECONDS_EACH * variables
    return _SAVED_SECONDS * variables * steps > cost


def _is_plain(operation: Any) -> bool:
    """Return True for arithmetic, products and moves, which XLA compiles well."""
    name = operation_name(operation)
    return name is not None and is_plain(name)


def extent(model: Any, *, jit: Choice) -> Jit:
    """Return how much of training XLA compiles, by the choice of the spec or of ``choose``.

    Convolutions lose their fast form inside of XLA's loops, so that TensorFlow runs their loops.
    """
    if not jit:
        return "off"
    if jit == "optimizer":
        return jit
    names = (type(part).__name__ for part in chain(_layers(model), inner_operations(model)))
    return "steps" if any("Conv" in name or "Pool" in name for name in names) else "loops"


def _layers(model: Any) -> Iterator[Any]:
    """Yield layers that compute something, also those inside of wrappers."""
    for layer in all_layers(model):
        if not isinstance(layer, keras.Model):
            yield layer

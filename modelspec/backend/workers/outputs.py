"""Outputs of a part of a batch, in a form from which those of the whole batch are computed.

Keras computes crossentropies from the logits before a softmax or sigmoid, which it stores with the
output. Computed from probabilities, those below 1e-7 would have no gradient, and those near 1 few
digits.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from modelspec.backend.keras_private import logits_of, set_logits

_ACTIVATIONS = {"Softmax": tf.nn.softmax, "Sigmoid": tf.math.sigmoid}


class SharedOutput(NamedTuple):
    """Tensors for some rows of an output, and a function from those of all rows to the output."""

    tensors: Sequence[Any]
    rebuild: Callable[[Sequence[Any]], Any]


def shared_output(output: Any) -> SharedOutput:
    """Return the tensors from which an output is computed: it, its logits, or both."""
    logits = logits_of(output)
    # Tensors outside of graphs do not know their operation.
    operation: Any = output.op if tf.is_symbolic_tensor(output) else None
    activation = operation and _ACTIVATIONS.get(operation.type)
    if activation and (logits is None or logits.ref() == operation.inputs[0].ref()):
        repeat = partial(_activated, activation, kept=logits is not None)
        return SharedOutput([operation.inputs[0]], repeat)
    if logits is not None:
        return SharedOutput([output, logits], lambda whole: _with_logits(*whole))
    return SharedOutput([output], lambda whole: whole[0])


def _activated(activation: Callable[[Any], Any], whole: Sequence[Any], *, kept: bool) -> Any:
    """Return the output of an activation; with its logits, if Keras ``kept`` them with it."""
    [logits] = whole
    output = activation(logits)
    return _with_logits(output, logits) if kept else output


def _with_logits(output: Any, logits: Any) -> Any:
    set_logits(output, logits)
    return output

"""Outputs of a part of a batch, in the form in which they become those of the whole.

Keras computes crossentropies from the values before a softmax or sigmoid, which it keeps beside the
output. From probabilities, those below 1e-7 would have no gradient, and those near 1 few digits.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from modelspec.backend.keras_private import logits_of, set_logits

_ACTIVATIONS = {"Softmax": tf.nn.softmax, "Sigmoid": tf.math.sigmoid}


class SharedOutput(NamedTuple):
    """Tensors of some rows of an output, and the output of all rows from the same of all rows."""

    tensors: Sequence[Any]
    rebuild: Callable[[Sequence[Any]], Any]


def shared_output(output: Any) -> SharedOutput:
    """What stands for an output: it, or the logits that it follows from, or both."""
    logits = logits_of(output)
    # Tensors outside of graphs do not tell what made them.
    operation: Any = output.op if tf.is_symbolic_tensor(output) else None
    activation = operation and _ACTIVATIONS.get(operation.type)
    if activation and (logits is None or logits.ref() == operation.inputs[0].ref()):
        repeat = partial(_activated, activation, kept=logits is not None)
        return SharedOutput([operation.inputs[0]], repeat)
    if logits is not None:
        return SharedOutput([output, logits], lambda whole: _with_logits(*whole))
    return SharedOutput([output], lambda whole: whole[0])


def _activated(activation: Callable[[Any], Any], whole: Sequence[Any], *, kept: bool) -> Any:
    """The output of an activation; with its logits, if Keras ``kept`` them beside it."""
    [logits] = whole
    output = activation(logits)
    return _with_logits(output, logits) if kept else output


def _with_logits(output: Any, logits: Any) -> Any:
    set_logits(output, logits)
    return output

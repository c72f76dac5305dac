"""A model as one TensorFlow function from named inputs to named outputs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.model.model_io import output_names
from modelspec.backend.model.saving import make_scopes_valid
from modelspec.problems.errors import ModelError


def serving_function(
    model: Any, weights: Sequence[Any] = (), *, batch: int | None = None, inline: bool = False
) -> Any:
    """Return the model in inference as a ``tf.function``.

    Args:
        model: A functional model.
        weights: Variables that become arguments named ``weight_0``, …, after the inputs.
        batch: The number of rows of every input; None for any number.
        inline: Insert the operations of inner functions, such as Keras's grouped convolutions,
            into this one.

    Returns:
        A function of one tensor for each input, in order. It returns a dict with one tensor for
        each output, by name.

    Raises:
        ModelError: Two inputs have one name in TensorFlow.
    """
    _require_names(model)
    make_scopes_valid(model)
    names, count = output_names(model), len(model.inputs)

    def serve(*tensors: Any) -> dict[str, Any]:
        inputs = list(tensors[:count])
        replaced = list(zip(weights, tensors[count:], strict=True))
        with keras.StatelessScope(replaced), _inlined() if inline else nullcontext():
            results = model(inputs if count > 1 else inputs[0], training=False)
        return dict(zip(names, keras.tree.flatten(results), strict=True))

    signature = [
        tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype, tensor.name)
        for tensor in model.inputs
    ]
    signature += [
        tf.TensorSpec(weight.shape, weight.dtype, f"weight_{index}")
        for index, weight in enumerate(weights)
    ]
    return tf.function(serve, input_signature=signature, autograph=False)


@contextmanager
def _inlined() -> Iterator[None]:
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _require_names(model: Any) -> None:
    names = [tensor.name for tensor in model.inputs]
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name.replace("-", "_"), name)
        if other != name:
            raise ModelError(f"the inputs {other} and {name} have one name in TensorFlow")

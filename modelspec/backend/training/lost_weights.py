"""Weights that a gradient of NaN or infinity destroyed, which the loss does not always show."""

from typing import Any

import tensorflow as tf

from modelspec.problems.errors import StepError


def require_finite_weights(model: Any, epoch: int) -> None:
    """Refuse to go on with trained weights that are not finite.

    The loss stays finite in the last step, and where a product and its ``relu`` are one kernel,
    which gives 0 for NaN.

    Raises:
        StepError: A weight is NaN or infinite.
    """
    for layer in model.layers:
        if not all(map(_is_finite, layer.trainable_variables)):
            raise StepError(
                f"its weights are not finite after epoch {epoch}: a gradient was NaN or infinite, "
                "as that of a root or a norm is at 0; a smaller learning rate, scaled inputs or "
                "clipnorm in the optimizer may help too",
                layer.name,
            )


def _is_finite(variable: Any) -> bool:
    return bool(tf.reduce_all(tf.math.is_finite(variable.value)))

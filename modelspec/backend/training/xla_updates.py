"""The optimizer's update of large weights, compiled by XLA into one pass over memory.

TensorFlow passes over a weight and its moments once for each operation: a dozen times for Adam.
With large weights, above all those of an Embedding, this takes a large part of a step.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.training.row_sums import fast_row_sums
from modelspec.backend.training.xla import is_large

Update = Callable[[Any, Any, Any], None]
"""The update of each weight in Keras's optimizers, from gradient, variable and learning rate."""


def fuse_updates(optimizer: Any) -> None:
    """Let XLA compile the updates of large weights from now on; other updates are not changed.

    The numbers are the same except for their last bits.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    optimizer.update_step = _fused(optimizer.update_step)


def _fused(update_step: Update) -> Update:
    def step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        if not is_large(variable):
            update_step(gradient, variable, learning_rate)
            return

        @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
        def update(parts: tuple[Any, ...], learning_rate: Any) -> None:
            with fast_row_sums(use=False):
                update_step(_whole(parts, variable), variable, learning_rate)

        update(_parts(gradient), tf.convert_to_tensor(learning_rate))

    return step


def _parts(gradient: Any) -> tuple[Any, ...]:
    """Return a gradient as dense tensors, because XLA accepts no sparse arguments."""
    if isinstance(gradient, tf.IndexedSlices):
        return gradient.values, gradient.indices
    return (gradient,)


def _whole(parts: tuple[Any, ...], variable: Any) -> Any:
    """Rebuild a gradient: Keras squares a sparse one before rows with one index are added."""
    if len(parts) == 1:
        return parts[0]
    return tf.IndexedSlices(*parts, dense_shape=tf.constant([*variable.shape]))

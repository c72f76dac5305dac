"""The update of large weights by the optimizer, compiled by XLA into one pass over memory.

TensorFlow's own goes over a weight and its moments once for each operation: a dozen times for Adam.
Where weights are large, above all those of an Embedding, that is a good part of a step.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.jitting import is_large

Update = Callable[[Any, Any, Any], None]
"""Of a gradient, a variable and a learning rate: what Keras's optimizers do for each weight."""


def fuse_updates(optimizer: Any) -> None:
    """Let XLA compile the updates of large weights from now on; those of others stay as they are.

    They give the same numbers but for their last bits.
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
        def update(gradient: Any, learning_rate: Any) -> None:
            update_step(gradient, variable, learning_rate)

        # XLA knows no sparse gradients, which Keras would make dense one operation later.
        update(tf.convert_to_tensor(gradient), tf.convert_to_tensor(learning_rate))

    return step

"""A training step that computes loss weights between the losses and their sum.

The state of a strategy is stored in variables, so that a checkpoint restores it exactly. A step
creates no variables.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.keras_private import loss_tracker
from modelspec.backend.loss_weights.head_losses import HeadLosses
from modelspec.backend.model.compiling import in_form
from modelspec.backend.model.model_io import output_names

Recompile = Callable[..., None]
"""``compile_model`` with all arguments except the weights."""


class Balancer:
    """A vector of loss weights, one for each output, and the training step that uses them.

    Subclasses define how the weights are computed, and how they are updated after a step.
    """

    def __init__(self, model: Any, outputs: Sequence[str], recompile: Recompile) -> None:
        self.model = model
        self.losses = HeadLosses(model, outputs)
        self.count = len(outputs)
        self._recompile = recompile
        self._plain_config = model.get_compile_config
        self._variables: list[Any] = []
        self._optimizers: list[Any] = []
        # Several workers sum them, because each has the gradients of its own rows.
        self.total_gradients: Callable[[list[Any]], list[Any]] = list
        # With a precomputed beginning, the rest of the model that takes its values.
        self.forward: Callable[..., Any] = model
        self.current = self.state([1.0] * self.count, "loss_weights")
        self.steps = self.state(0.0, "steps")
        # Keras's hook for a loss: validation and saved models have the weights too.
        model.compute_loss = self._compute_loss
        model.get_compile_config = self._compile_config

    def choose(self, losses: Any, tape: Any) -> tuple[Any, Any]:
        """Return the weights of a step, and the values from which they were chosen.

        The tape can compute gradients of the losses, and does not record here.
        """
        raise NotImplementedError

    def learn(self, losses: Any, weights: Any) -> None:
        """Update the state from the losses and weights of a step."""

    def beside(self) -> Any:
        """Return a further term to minimize, without a gradient for the model's own variables."""
        return 0.0

    def state(self, value: Any, name: str, *, trainable: bool = False) -> Any:
        variable = keras.Variable(value, dtype="float32", trainable=trainable, name=name)
        self._variables.append(variable)
        return variable

    def learned(self, value: Any, name: str) -> Any:
        return self.state(value, name, trainable=True)

    def adam(self, learning_rate: float, variable: Any, epsilon: float = 1e-7) -> Any:
        """Create a separate optimizer, so that the model's is saved as by plain Keras."""
        optimizer = keras.optimizers.Adam(learning_rate, epsilon=epsilon)
        optimizer.build([variable])
        self._optimizers.append(optimizer)
        return optimizer

    def keep(self, variable: Any, value: Any) -> Any:
        """Assign a finite value: a step whose float16 overflowed must not change the state."""
        variable.assign(tf.where(all_finite(value), value, variable))
        return tf.convert_to_tensor(variable)

    def at_first(self, value: Any, later: Any) -> Any:
        """Return the first value until a step has updated the state, and then the second."""
        return tf.where(self.steps > 0, later, value)

    @property
    def variables(self) -> Sequence[Any]:
        return [
            *self._variables,
            *(variable for own in self._optimizers for variable in own.variables),
        ]

    def weights(self) -> dict[str, float]:
        values = keras.ops.convert_to_numpy(self.current).tolist()
        return dict(zip(self.losses.outputs, values, strict=True))

    def train_step(self, data: Any) -> Any:
        """Do what Keras's ``train_step`` does, with the strategy's weights."""
        model, optimizer = self.model, self.model.optimizer
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape(persistent=True) as tape:
            y_pred = self.forward(x, training=True)
            losses = self.losses(x, y, y_pred, sample_weight)
            # Weights are chosen from the losses, and no gradient passes through the choice.
            with tape.stop_recording():
                chosen, seen = self.choose(losses, tape)
                weights = self.keep(self.current, chosen)
            # Penalties of layers belong to no head, so no weight scales them.
            total = tf.reduce_sum(weights * losses) + self.losses.penalties()
            # Still recorded: the optimizer divides the gradients by the same scale.
            scaled = optimizer.scale_loss(total)
        variables = model.trainable_variables
        gradients = tape.gradient(scaled, variables)
        rows = tf.shape(keras.tree.flatten(x)[0])[0]
        # As in Keras, the loss is computed before the update, from the predictions that gave the
        # gradients; so are the metrics below, which read the same predictions.
        loss_tracker(model).update_state(total + self.beside(), sample_weight=rows)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        # After the update: a strategy learns from the losses and the weights of this step.
        self.learn(losses, weights)
        self.steps.assign_add(tf.cast(all_finite(seen), tf.float32))
        return model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def finish(self) -> None:
        """Leave a plain Keras model, compiled with the current weights as numbers."""
        weights = self.weights()
        del self.model.compute_loss, self.model.get_compile_config
        self._recompile(weights=weights)

    def _compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        **training: Any,
    ) -> Any:
        """Compute Keras's loss with the current weights."""
        del training
        if not self.losses.ready:
            return self.losses.total(x, y, y_pred, sample_weight)
        losses = self.losses(x, y, y_pred, sample_weight)
        total = tf.reduce_sum(self.current * losses) + self.losses.penalties()
        return total + self.beside()

    def _compile_config(self) -> Any:
        weights = dict.fromkeys(output_names(self.model), 1.0) | self.weights()
        return {**self._plain_config(), "loss_weights": in_form(self.model, weights)}


def all_finite(value: Any) -> Any:
    return tf.reduce_all(tf.math.is_finite(value))

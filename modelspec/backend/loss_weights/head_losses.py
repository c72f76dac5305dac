"""Losses of the outputs of a compiled model, as Keras computes them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from modelspec.backend.keras_private import MissingPartError


class HeadLosses:
    """The unweighted losses of some outputs of a model that has several losses.

    Keras adds losses up inside ``compute_loss``, but first passes each to a metric named
    ``OUTPUT_loss``, whose argument is read here. So Keras handles targets, sample weights, masks
    and reductions, and updates its metrics as usual.
    """

    def __init__(self, model: Any, outputs: Sequence[str]) -> None:
        self.outputs = tuple(outputs)
        self._model = model
        self._compute = model.compute_loss

    @property
    def ready(self) -> bool:
        """True once Keras has created these metrics, which it does at the first batch."""
        return self._names() <= {metric.name for metric in self._model.metrics}

    def total(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """Return the result of Keras's own ``compute_loss``."""
        return self._compute(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

    def __call__(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """Return a float32 vector, one loss for each output in order; differentiable."""
        with self._listening() as heard:
            self.total(x, y, y_pred, sample_weight)
        if silent := sorted(self._names() - heard.keys()):
            raise MissingPartError(f"metric {silent[0]}", "a strategy for loss_weights")
        return tf.stack([tf.cast(heard[f"{name}_loss"], tf.float32) for name in self.outputs])

    def penalties(self) -> Any:
        """Return the sum that regularizers and ``add_loss`` add to the total."""
        added = [tf.reduce_sum(tf.cast(loss, tf.float32)) for loss in self._model.losses]
        return tf.add_n([tf.constant(0.0), *added])

    def _names(self) -> set[str]:
        return {f"{name}_loss" for name in self.outputs}

    @contextmanager
    def _listening(self) -> Iterator[dict[str, Any]]:
        heard: dict[str, Any] = {}
        names = self._names()
        metrics = [metric for metric in self._model.metrics if metric.name in names]
        for metric in metrics:
            metric.update_state = _hearing(metric, heard)
        try:
            yield heard
        finally:
            for metric in metrics:
                del metric.update_state


def _hearing(metric: Any, heard: dict[str, Any]) -> Any:
    update = metric.update_state

    def update_state(value: Any, *arguments: Any, **named: Any) -> Any:
        heard[metric.name] = value
        return update(value, *arguments, **named)

    return update_state

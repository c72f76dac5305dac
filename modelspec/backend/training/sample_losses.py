"""The loss of each sample alone, as Keras computes it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from modelspec.backend.model.compiling import make_loss_or_metric
from modelspec.catalog import Catalog
from modelspec.catalog.losses import named_loss
from modelspec.data.concatenated import Array

SampleLoss: TypeAlias = Callable[[Array, Array], Array]
"""A function from targets and predictions to one loss a sample, the mean over its valid steps."""

_CHOSEN = ("crossentropy", "ce")


def sample_loss(
    catalog: Catalog, loss: Any, target: tuple[int, ...], output: tuple[int | None, ...]
) -> SampleLoss:
    """Return the loss of a head by sample; shapes are without the batch."""
    made = make_loss_or_metric(catalog, "loss", loss)
    if made in _CHOSEN:
        # Keras chooses by the shapes when it compiles.
        made = _SPELLED[named_loss(loss, target, output)[0]]
    ignored = named_loss(loss, target, output)[1].get("ignore_class")
    function = keras.losses.get(made)
    if isinstance(function, keras.losses.Loss):
        function.reduction = "none"

    def losses(targets: Array, predictions: Array) -> Array:
        fitting = _fitted(targets, predictions).astype(np.float32)
        values = function(tf.convert_to_tensor(fitting), tf.convert_to_tensor(predictions))
        rows = np.asarray(values, np.float64).reshape(len(predictions), -1)
        if ignored is None:
            mean: Array = rows.mean(1)
            return mean
        counted = (fitting != ignored).reshape(rows.shape)
        total: Array = (rows * counted).sum(1) / np.maximum(counted.sum(1), 1)
        return total

    return losses


_SPELLED = {
    "binarycrossentropy": "binary_crossentropy",
    "categoricalcrossentropy": "categorical_crossentropy",
    "sparsecategoricalcrossentropy": "sparse_categorical_crossentropy",
}


def _fitted(targets: Array, predictions: Array) -> Array:
    """Return targets with the axes of the predictions, as in Keras's losses."""
    if targets.ndim == predictions.ndim - 1 and predictions.shape[-1] == 1:
        return targets[..., None]
    if targets.ndim == predictions.ndim and targets.shape[-1] == 1 < predictions.shape[-1]:
        return targets[..., 0]
    return targets

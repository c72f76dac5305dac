"""Predictions of a model, batch by batch."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.model.model_io import input_arrays, output_names
from modelspec.backend.training.step_errors import run_step
from modelspec.backend.workers.collectives import naming_lost_worker
from modelspec.backend.workers.shared_model import SharedModel
from modelspec.data.batches import Batch
from modelspec.data.concatenated import Array


def predictor(model: Any) -> Callable[[Batch], dict[str, Array]]:
    """Return a function from the inputs of a batch to one array for each output, by name."""
    forward = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
    return lambda batch: _outputs(model, batch, forward)


def shared_predictor(shared: SharedModel) -> Callable[[Batch, int], dict[str, Array]]:
    """As ``predictor``, from the rows of this worker and the number of rows of the whole batch."""
    forward = tf.function(shared.outputs, reduce_retracing=True)

    def predict(batch: Batch, total: int) -> dict[str, Array]:
        with naming_lost_worker(shared.collectives):
            return _outputs(shared.model, batch, lambda inputs: forward(inputs, tf.constant(total)))

    return predict


def _outputs(model: Any, batch: Batch, forward: Callable[[Any], Any]) -> dict[str, Array]:
    inputs = tf.nest.map_structure(tf.convert_to_tensor, input_arrays(model, batch))
    results = keras.tree.flatten(run_step(lambda: forward(inputs), model))
    return {name: _array(result) for name, result in zip(output_names(model), results, strict=True)}


def _array(result: Any) -> Array:
    """Return bfloat16 as float32: NumPy has no such dtype, and npz files cannot store it."""
    array: Array = tf.cast(
        result, tf.float32 if result.dtype == tf.bfloat16 else result.dtype
    ).numpy()
    return array

"""Loss and metrics of outputs that were computed elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelspec.backend.keras_private import loss_tracker, mask_of, set_mask
from modelspec.backend.model.model_io import batch_arrays, model_outputs, output_names
from modelspec.backend.training.batch_source import sample
from modelspec.backend.training.engine import Engine
from modelspec.data.batches import Batch, Batches
from modelspec.data.concatenated import Array


def judge(model: Any, batches: Batches, outputs: Mapping[str, Array]) -> dict[str, float]:
    """Compute loss and metrics of a compiled model for other outputs, with its ``test_step``.

    Args:
        model: The model that is compiled with the losses and metrics.
        batches: The rows with their targets.
        outputs: One array for each output of the model, with a row for each sample.

    Returns:
        The values by Keras's own names.
    """
    engine, names = Engine(model), output_names(model)
    engine.build(sample(model, batches))
    engine.reset()
    step = None
    for start in range(0, batches.samples, batches.batch_size):
        rows = np.arange(start, min(start + batches.batch_size, batches.samples))
        tensors = _tensors(model, batches.gather(rows), [outputs[k][rows] for k in names])
        step = step or _step(model, tensors)
        step(*tensors)
    return engine.results()


def _tensors(model: Any, batch: Batch, outputs: Sequence[Array]) -> tuple[Any, Any]:
    data = batch_arrays(model, batch)
    tensors: tuple[Any, Any] = tf.nest.map_structure(
        tf.convert_to_tensor, (tuple(data), list(outputs))
    )
    return tensors


def _step(model: Any, tensors: tuple[Any, Any]) -> Any:
    """Make a function that updates loss and metrics.

    As in ``fit``, it does not know the number of rows: where Keras knows it, Keras weights the
    losses of several outputs differently.
    """
    masked = any(output.mask is not None for output in model_outputs(model).values())

    def update(data: Any, outputs: Any) -> None:
        x, targets, *weights = data
        if masked:
            _copy_masks(model(x, training=False), outputs)
        predicted = keras.tree.pack_sequence_as(model.output, outputs)
        weight = weights[0] if weights else None
        loss = model.compute_loss(x, targets, predicted, weight, training=False)
        loss_tracker(model).update_state(loss, sample_weight=tf.shape(tf.nest.flatten(x)[0])[0])
        model.compute_metrics(x, targets, predicted, weight)

    signature = tf.nest.map_structure(
        lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), tensors
    )
    return tf.function(update, input_signature=list(signature), autograph=False)


def _copy_masks(own: Any, outputs: Sequence[Any]) -> None:
    """Set the masks of Keras's own outputs on outputs of a file, which has none."""
    for tensor, masked in zip(outputs, keras.tree.flatten(own), strict=True):
        mask = mask_of(masked)
        if mask is not None:
            set_mask(tensor, mask)

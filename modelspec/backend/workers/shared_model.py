"""A model whose batches are shared among workers, for every step of Keras or a strategy.

A step gets a batch of all rows. The model computes the worker's share of them and returns the
outputs of all rows, gathered from the workers; a gradient passes to the worker's own rows. So
losses, metrics, sample weights and masks are computed for the whole batch, equally on every worker.
Gradients are summed over the workers before the optimizer gets them, so that clipping, accumulation
and the scaling of losses get the same values as in one process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.keras_private import all_layers, mask_of, own_losses, set_mask
from modelspec.backend.workers.collectives import Collectives
from modelspec.backend.workers.draws import draws_of_whole_batch, moments_of_whole_batch
from modelspec.backend.workers.outputs import shared_output
from modelspec.backend.workers.share import Share


class SharedModel:
    """Changes a compiled model and its optimizer, until ``restore``."""

    def __init__(self, model: Any, collectives: Collectives) -> None:
        self.model, self.collectives = model, collectives
        self._share: Share | None = None
        self._call, self._optimizer = model.call, getattr(model, "optimizer", None)
        statistics = batch_statistics(model)
        self.own_statistics = list(statistics)
        """The layers that normalize each worker's rows by the statistics of these rows alone."""
        self._averaged = [variable for own in statistics.values() for variable in own]
        by_identity = {
            id(variable): variable
            for layer in all_layers(model)
            for variable in layer.metrics_variables
        }
        self._metrics = [value for value in by_identity.values() if "float" in value.dtype]
        model.call = self._shared_call
        if self._optimizer is not None:
            self._apply = self._optimizer.apply_gradients
            self._optimizer.apply_gradients = self._apply_sums
        for variable in model.trainable_variables:
            if variable.regularizer is not None:
                variable.regularizer = _Once(variable.regularizer, collectives.count)

    def restore(self) -> None:
        """Restore the model as Keras created it."""
        del self.model.call
        if self._optimizer is not None:
            del self._optimizer.apply_gradients
        for variable in self.model.trainable_variables:
            if isinstance(variable.regularizer, _Once):
                variable.regularizer = variable.regularizer.regularizer

    def take(self, step: Any, batch: Any, total: Any, *, trains: bool, own: bool) -> Any:
        """Return the logs of a step on a batch of ``total`` rows, an int32 scalar.

        Where the batch is this worker's ``own``, it has no other rows.
        """
        with self._sharing(total) as share:
            if own:
                inputs, *judged = batch
                whole = tf.nest.map_structure(share.fill, inputs)
                batch = (whole, *tf.nest.map_structure(self._all_rows, judged))
            logs = step(batch)
            self._average(share, [*self._metrics, *(self._averaged if trains else ())])
        return logs

    def outputs(self, inputs: Any, total: Any) -> Any:
        """Return the outputs of all rows, of which ``inputs`` are this worker's."""
        with self._sharing(total) as share:
            return self.model(tf.nest.map_structure(share.fill, inputs), training=False)

    def _all_rows(self, tensor: Any) -> Any:
        assert self._share is not None
        return self._share.whole(tensor, self.collectives)

    @contextmanager
    def _sharing(self, total: Any) -> Iterator[Share]:
        self._share = share = Share.of(total, self.collectives)
        try:
            with (
                draws_of_whole_batch(share),
                moments_of_whole_batch(share, self.collectives),
            ):
                yield share
        finally:
            self._share = None

    def _average(self, share: Share, variables: list[Any]) -> None:
        """Replace statistics of the workers' own rows, and metrics of layers, by their means."""
        if variables:
            # One type that contains all others exactly.
            values = [tf.cast(share.weighted(value), tf.float64) for value in variables]
            means = self.collectives.sum_all(values)
            for variable, mean in zip(variables, means, strict=True):
                variable.assign(tf.cast(mean, variable.dtype))

    def total_gradients(self, gradients: list[Any]) -> list[Any]:
        """Return sums over the workers, inside of a step that is shared."""
        return self._sums(gradients) if self._share is not None else gradients

    def _shared_call(self, inputs: Any, **options: Any) -> Any:
        share = self._share
        if share is None:
            return self._call(inputs, **options)
        own = keras.tree.map_structure(share.cut, inputs)
        outputs = self._call(own, **options)
        for layer in all_layers(self.model):
            losses = own_losses(layer)
            losses[:] = [self._whole_loss(layer, loss, share) for loss in losses]
        return keras.tree.map_structure(lambda output: self._whole(output, share), outputs)

    def _whole(self, output: Any, share: Share) -> Any:
        mask, parts = mask_of(output), shared_output(output)
        whole = parts.rebuild([share.whole(tensor, self.collectives) for tensor in parts.tensors])
        if mask is not None:
            set_mask(whole, share.whole(mask, self.collectives))
        return whole

    def _whole_loss(self, layer: Any, loss: Any, share: Share) -> Any:
        """Return a layer's loss for the whole batch, from that of this worker's rows.

        It is treated as a mean over the rows; activity regularizers of older releases of Keras are
        sums.
        """
        if layer.activity_regularizer and not _activity_is_mean():
            own = tf.cast(share.rows > 0, loss.dtype) * loss
        else:
            own = tf.cast(share.weighted(loss), loss.dtype)
        return own + tf.stop_gradient(self.collectives.sum(tf.stop_gradient(own)) - own)

    def _apply_sums(self, grads_and_vars: Any, **options: Any) -> Any:
        pairs = list(grads_and_vars)
        sums = self.total_gradients([gradient for gradient, _ in pairs])
        pairs = [(total, variable) for total, (_, variable) in zip(sums, pairs, strict=True)]
        return self._apply(pairs, **options)

    def _sums(self, gradients: list[Any]) -> list[Any]:
        """Return the gradients of the whole batch: dense ones in one operation for each type."""
        sums = [
            self._all_slices(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
            for gradient in gradients
        ]
        places: dict[Any, list[int]] = {}
        for place, gradient in enumerate(gradients):
            if gradient is not None and not isinstance(gradient, tf.IndexedSlices):
                places.setdefault(gradient.dtype, []).append(place)
        for own in places.values():
            totals = self.collectives.sum_all([gradients[place] for place in own])
            for place, total in zip(own, totals, strict=True):
                total.set_shape(gradients[place].shape)
                sums[place] = total
        return sums

    def _all_slices(self, gradient: Any) -> Any:
        """Return the rows of an Embedding's gradient from all workers, as in one process."""
        assert self._share is not None
        share = self._share
        per_row = tf.shape(gradient.indices)[0] // (share.last - share.first)
        values = share.whole(gradient.values, self.collectives, per_row)
        indices = share.whole(gradient.indices, self.collectives, per_row)
        return tf.IndexedSlices(values, indices, gradient.dense_shape)


class _Once:
    """A regularizer whose gradient counts once, although every worker adds it."""

    def __init__(self, regularizer: Any, count: int) -> None:
        self.regularizer, self._count = regularizer, count

    def __call__(self, value: Any) -> Any:
        whole = self.regularizer(value)
        part = whole / self._count
        return part + tf.stop_gradient(whole - part)


@cache
def _activity_is_mean() -> bool:
    """Return True where Keras divides the loss of an activity regularizer by the number of rows."""
    with tf.init_scope():
        layer = keras.layers.ActivityRegularization(l1=1.0)
        layer(tf.ones((2, 1)))
        return float(layer.losses[0]) < 2  # noqa: PLR2004 - the sum of two ones


def batch_statistics(model: Any) -> dict[str, list[Any]]:
    """Return the variables of layers with statistics of the worker's own rows, by layer."""
    return {
        layer.name: list(layer.non_trainable_variables)
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.trainable
        and not layer.synchronized
    }

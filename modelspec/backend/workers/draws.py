"""Random numbers and moments of a whole batch, for a worker that computes some of its rows.

Functions of Keras are replaced while a step is traced, and restored after.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import tensorflow as tf

from modelspec.backend.keras_private import replaced_draws, replaced_moments
from modelspec.backend.workers.share import Share


class Sums(Protocol):
    """Sums over all workers, or over all devices."""

    def sum(self, value: Any) -> Any: ...

    def differentiable_sum(self, value: Any) -> Any: ...


@contextmanager
def draws_of_whole_batch(share: Share) -> Iterator[None]:
    """Make random layers draw for the whole batch, of which a worker takes its rows.

    So the numbers depend on the seed and the sample, whatever the number of workers.
    """
    with replaced_draws(
        lambda draw: _of_whole_shape(draw, share), lambda dropout: _dropout(dropout, share)
    ):
        yield


@contextmanager
def moments_of_whole_batch(share: Share, sums: Sums) -> Iterator[None]:
    """Make ``BatchNormalization: {synchronized: true}`` use the moments of the whole batch."""
    with replaced_moments(_moments(share, sums)):
        yield


def _of_whole_shape(draw: Any, share: Share) -> Any:
    def drawn(shape: Any, *arguments: Any, **options: Any) -> Any:
        sizes = list(tf.unstack(shape)) if tf.is_tensor(shape) else list(shape)
        # The number of rows is the only size that is unknown when a step is traced.
        if not sizes or not tf.is_tensor(sizes[0]):
            return draw(shape, *arguments, **options)
        return share.cut(draw([share.total, *sizes[1:]], *arguments, **options))

    return drawn


def _dropout(dropout: Any, share: Share) -> Any:
    def dropped(inputs: Any, rate: Any, noise_shape: Any = None, seed: Any = None) -> Any:
        alike = noise_shape is not None and noise_shape[0] is not None
        if inputs.shape[0] is not None or (alike and not tf.is_tensor(noise_shape[0])):
            return dropout(inputs, rate, noise_shape, seed)
        sizes = tf.concat([[share.total], tf.shape(inputs)[1:]], 0)
        noise = None if noise_shape is None else [None, *noise_shape[1:]]
        factors = dropout(tf.ones(sizes, inputs.dtype), rate, noise, seed)
        return inputs * share.cut(factors)

    return dropped


def _moments(share: Share, sums: Sums) -> Any:
    def moments(x: Any, axes: Any, keepdims: bool) -> tuple[Any, Any]:  # noqa: FBT001 - Keras's own signature
        counted = tf.cast(share.rows > 0, x.dtype)
        size = tf.reduce_prod(tf.gather(tf.shape(x), list(axes)))
        total = sums.sum(counted * tf.cast(size, x.dtype))

        def mean_of(values: Any) -> Any:
            own = counted * tf.reduce_sum(values, axis=axes, keepdims=True)
            return sums.differentiable_sum(own) / total

        mean = mean_of(x)
        variance = mean_of(tf.math.squared_difference(x, tf.stop_gradient(mean)))
        if not keepdims:
            mean, variance = tf.squeeze(mean, axes), tf.squeeze(variance, axes)
        return mean, variance

    return moments

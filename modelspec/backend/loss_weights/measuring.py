"""Measurement of losses, and of their gradients on shared layers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from modelspec.backend.loss_weights.gradients import gradient_of, product, shared_variables
from modelspec.backend.loss_weights.head_losses import HeadLosses
from modelspec.backend.loss_weights.strategies import EqualContributionStep
from modelspec.backend.model.compiling import build_losses
from modelspec.backend.model.model_io import batch_arrays
from modelspec.data.batches import Batches
from modelspec.graph.graph import Graph
from modelspec.language.loss_weights import EqualContribution
from modelspec.results.balance import HeadMeasurement

_MEASURED = 8
_MEASURED_A_DRAW = 2
"""The number of averaged batches: after the warm-up, and for each draw of weights."""


def measure_heads(
    model: Any,
    graph: Graph,
    outputs: Sequence[str],
    rows: Batches,
    *,
    seed: int,
    batches: int,
    draws: Iterable[Sequence[Any]],
) -> tuple[HeadMeasurement, HeadMeasurement]:
    """Measure a compiled model's heads at the start, and after training on some batches.

    The start is the mean over ``draws``, the model's new weights by several seeds, because a single
    draw may favour a head. In the warm-up each head contributes the same to the total loss, so that
    all of them learn.
    """
    # As in training: the same spec and data give the same numbers.
    tf.config.experimental.enable_op_determinism()
    first = next(_batches(model, rows, seed, 1))
    build_losses(model, first)
    step = _on_batches(
        measuring_step(model, outputs, shared_variables(model, graph, outputs)), first
    )
    warm = EqualContributionStep(model, outputs, _never, EqualContribution())
    train = _on_batches(warm.train_step, first)
    own = model.get_weights()
    drawn = []
    for weights in draws:
        model.set_weights(weights)
        drawn += [step(batch) for batch in _batches(model, rows, seed, _MEASURED_A_DRAW)]
    model.set_weights(own)
    for batch in _batches(model, rows, seed, batches):
        train(batch)
    return mean(drawn), mean([step(batch) for batch in _batches(model, rows, seed, _MEASURED)])


def _never(*, weights: Mapping[str, float]) -> None:
    """Do nothing, because the model is discarded and never finished."""
    raise AssertionError(weights)


def _on_batches(step: Callable[[Any], Any], first: Any) -> Callable[[Any], Any]:
    specs = tf.nest.map_structure(
        lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), first
    )
    traced: Callable[[Any], Any] = tf.function(step, input_signature=[specs], autograph=False)
    return traced


def _batches(model: Any, rows: Batches, seed: int, count: int) -> Iterator[Any]:
    """Yield the first batches of a training, epoch after epoch."""
    epoch = 0
    while count > 0:
        order = rows.order(seed, epoch)
        for start in range(0, min(rows.samples, count * rows.batch_size), rows.batch_size):
            batch = rows.gather(order[start : start + rows.batch_size])
            yield tf.nest.map_structure(tf.convert_to_tensor, batch_arrays(model, batch))
        count -= rows.steps
        epoch += 1


def measuring_step(
    model: Any, outputs: Sequence[str], shared: Sequence[Any]
) -> Callable[[Any], tuple[Any, Any]]:
    """Return a function from a batch to the losses, and the products of all pairs of gradients.

    The gradients are of the losses without weights, on the ``shared`` variables.
    """
    head_losses = HeadLosses(model, outputs)

    def step(data: Any) -> tuple[Any, Any]:
        x, y, *weights = data
        with tf.GradientTape(persistent=True) as tape:
            y_pred = model(x, training=True)
            losses = head_losses(x, y, y_pred, weights[0] if weights else None)
        scale = model.optimizer.scale_loss(tf.constant(1.0))
        gradients = [gradient_of(tape, losses, head, shared, scale) for head in range(len(outputs))]
        products = [tf.stack([product(one, other) for other in gradients]) for one in gradients]
        return losses, tf.stack(products)

    return step


def mean(steps: Sequence[tuple[Any, Any]]) -> HeadMeasurement:
    """Return the mean of the results of ``measuring_step`` for several batches."""
    losses = np.stack([batch_losses for batch_losses, _ in steps]).mean(axis=0)
    products = np.stack([batch_products for _, batch_products in steps]).astype(np.float64)
    norms = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    lengths = norms[:, :, None] * norms[:, None, :]
    cosines = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return HeadMeasurement(
        tuple(map(float, losses)),
        tuple(map(float, norms.mean(axis=0))),
        tuple(tuple(map(float, row)) for row in cosines.mean(axis=0)),
    )

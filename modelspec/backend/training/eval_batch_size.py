"""The batch size for evaluation and prediction, which can be larger than for training."""

import math
from typing import Any

import keras

from modelspec.backend.keras_private import calls_of, compiled_losses, compiled_metrics, is_masked
from modelspec.catalog.losses import LOSSES, folded

_ROWS = 1024
_ACTIVATION_BYTES = 8 * 2**20


def eval_batch_size(model: Any, batch_size: int) -> int:
    """Return a larger batch size with the same results, while layers' outputs fit into caches.

    The size is unchanged where a layer mixes the samples of a batch, as ``Softmax: {axis: 0}``
    does.
    """
    row = 0 if any(map(mixes_samples, model.operations)) else _activation_bytes(model)
    return max(batch_size, min(_ROWS, _ACTIVATION_BYTES // row)) if row else batch_size


def is_batch_size_invariant(model: Any) -> bool:
    """Return True where losses are means over samples, which are the same for all batch sizes.

    Sums are not; nor are means over weights, as with a masked output or ``ignore_class``; nor
    values of a batch as a whole. Nor are the losses of several outputs, in which Keras counts a
    short batch as much as a whole one.

    Raises:
        MissingPartError: Keras lacks the part that lists the losses or masks.
    """
    losses = compiled_losses(model)
    if any(map(is_own, [*losses, *compiled_metrics(model), *model.layers])):
        return False  # code of a plugin, which is not examined
    reductions = {getattr(loss, "reduction", "sum_over_batch_size") for loss in losses}
    mixing = any(map(_mixes_samples, [*losses, *compiled_metrics(model)]))
    masked = any(map(is_masked, model.outputs))
    return (
        reductions == {"sum_over_batch_size"} and len(model.outputs) == 1 and not (masked or mixing)
    )


def _mixes_samples(judge: Any) -> bool:
    """Return True where a loss or metric of a batch is not the mean of its samples' values."""
    facts = LOSSES.get(folded(_name(judge)))
    if facts is not None and facts.of_batch:
        return True
    if not isinstance(judge, keras.losses.Loss | keras.metrics.Metric):
        return False
    config = judge.get_config()
    return config.get("ignore_class") is not None or config.get("axis") == 0


def _name(loss: Any) -> str:
    return loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)


def is_own(part: Any) -> bool:
    """Return True where a layer, loss or metric comes from a plugin, and not from Keras."""
    owner = part if hasattr(part, "__name__") else type(part)
    return not isinstance(part, str | None) and not owner.__module__.startswith("keras.")


def mixes_samples(operation: Any) -> bool:
    """Return True where an operation's result for a sample depends on other samples."""
    if not isinstance(operation, keras.Layer) and any(
        tuple(tensor.shape)[:1] != (None,) for tensor in _outputs(operation)
    ):
        return True  # it has reduced or moved the batch
    axes = keras.tree.flatten(getattr(operation, "axis", None))
    ranks = {len(tensor.shape) for tensor in _outputs(operation)}
    return any(axis == 0 or -axis in ranks for axis in axes if isinstance(axis, int))


def _activation_bytes(model: Any) -> int:
    """Return the bytes for one sample, in single precision; 0 where a length is unknown."""
    shapes: list[tuple[int | None, ...]] = [
        tuple(tensor.shape[1:]) for operation in model.operations for tensor in _outputs(operation)
    ]
    if any(None in shape for shape in shapes):
        return 0
    return 4 * sum(math.prod(size or 0 for size in shape) for shape in shapes)


def _outputs(operation: Any) -> list[Any]:
    return [tensor for node in calls_of(operation) for tensor in node.outputs]

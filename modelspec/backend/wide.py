"""Batches for evaluation and prediction, which no gradient ties to the size of training's."""

import math
from typing import Any

import keras

_ROWS = 1024
_ACTIVATION_BYTES = 8 * 2**20


def wide_batch(model: Any, batch_size: int) -> int:
    """A larger batch that gives the same results, as long as the layers' outputs stay in caches."""
    row = _activation_bytes(model)
    return max(batch_size, min(_ROWS, _ACTIVATION_BYTES // row)) if row else batch_size


def adds_up(model: Any) -> bool:
    """Whether losses are means over samples, which are the same whatever the batches.

    Sums are not, nor means over weights, nor those of a masked output. Nor are the losses of
    several outputs, in which Keras counts a short batch as much as a whole one.
    """
    losses = keras.tree.flatten(model._compile_loss._user_loss)  # noqa: SLF001
    reductions = {getattr(loss, "reduction", "sum_over_batch_size") for loss in losses}
    masked = any(getattr(tensor, "_keras_mask", None) is not None for tensor in model.outputs)
    return reductions == {"sum_over_batch_size"} and len(model.outputs) == 1 and not masked


def _activation_bytes(model: Any) -> int:
    """Of one sample, in single precision; 0 where a length is unknown."""
    shapes: list[tuple[int | None, ...]] = [
        tuple(tensor.shape[1:]) for operation in model.operations for tensor in _outputs(operation)
    ]
    if any(None in shape for shape in shapes):
        return 0
    return 4 * sum(math.prod(size or 0 for size in shape) for shape in shapes)


def _outputs(operation: Any) -> list[Any]:
    return [tensor for node in operation._inbound_nodes for tensor in node.output_tensors]  # noqa: SLF001

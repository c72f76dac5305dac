"""Rows of which a mask leaves no step, so that an average over their steps is no number."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelspec.backend.keras_private import graph_nodes, mask_of
from modelspec.data.batches import Batches
from modelspec.data.concatenated import Array
from modelspec.problems.errors import StepError

_AVERAGES = (keras.layers.GlobalAveragePooling1D,)
"""Layers that divide by the number of steps that a mask leaves."""

_ROWS = 1024


def empty_row_error(model: Any, batches: Batches, tensors: Sequence[Any] = ()) -> StepError | None:
    """The error of the first row of which a mask leaves no step; None where there is none.

    ``tensors`` are what ``batches`` has values of, where these are not the model's inputs. The
    masks do not depend on weights, which are no numbers any more where this is asked.
    """
    tensors_by_name = dict(zip((tensor.name for tensor in model.inputs), model.inputs, strict=True))
    if tensors:
        tensors_by_name = dict(zip(batches.dataset.inputs, tensors, strict=True))
    for layer, mask in _averaged(model):
        try:
            row = _first_empty(
                keras.Function(list(tensors_by_name.values()), mask), list(tensors_by_name), batches
            )
        except ValueError:  # the mask does not follow from these tensors
            continue
        if row is not None:
            return StepError(
                f"it averages no step of row {row:,}, which gives NaN: a mask leaves all of the "
                "steps out, as of an empty text, or of ids that are all 0; remove such rows, or "
                "write mask_zero: false",
                layer,
            )
    return None


def telling_of_empty_rows(
    parts: Iterable[Mapping[str, Array]], model: Any, batches: Batches, say: Callable[[str], None]
) -> Iterator[Mapping[str, Array]]:
    """The predictions as they are, with one note where empty rows made NaN of some."""
    told = False
    for part in parts:
        if not told and any(map(_has_nan, part.values())):
            told, error = True, empty_row_error(model, batches)
            if error is not None:
                say(f"predictions are NaN: layer {error.layer}: {error}")
        yield part


def _has_nan(array: Array) -> bool:
    return array.dtype.kind == "f" and bool(np.isnan(array).any())


def _averaged(model: Any) -> Iterator[tuple[str, Any]]:
    """The layers that average steps, by name, each with the mask of what it is called on."""
    for node in graph_nodes(model):
        if isinstance(node.operation, _AVERAGES):
            mask = mask_of(node.inputs[0])
            if mask is not None:
                yield node.operation.name, mask


def _first_empty(masks: Any, names: Sequence[str], batches: Batches) -> int | None:
    for start in range(0, batches.samples, _ROWS):
        positions = np.arange(start, min(start + _ROWS, batches.samples))
        inputs = batches.gather(positions).inputs
        mask = np.asarray(masks([tf.convert_to_tensor(inputs[name]) for name in names]))
        empty = ~mask.reshape(len(mask), -1).any(-1)
        if empty.any():
            return int(batches.rows[positions[int(empty.argmax())]])
    return None

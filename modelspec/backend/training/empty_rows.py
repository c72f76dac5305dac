"""Rows of which a mask leaves no step, so that the average over their steps is NaN."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelspec.backend.keras_private import (
    GraphNode,
    as_functional,
    graph_nodes,
    mask_of,
    set_mask,
)
from modelspec.backend.training.fixed_calls import taken_by
from modelspec.data.batches import Batches
from modelspec.data.concatenated import Array
from modelspec.problems.errors import StepError

_ROWS = 1024
_TRIAL_ROWS, _TRIAL_STEPS = 2, 3

Empty = Callable[[Array], Array]
"""A function from a mask [rows, steps, ...] to the rows for which a layer returns NaN."""


def _of_no_step(mask: Array) -> Array:
    return np.logical_not(mask.reshape(len(mask), -1).any(-1))


def _of_a_group_of_no_step(mask: Array) -> Array:
    """Return rows of sequences of sequences where an inner sequence has no step."""
    return np.logical_not(mask.any(-1).reshape(len(mask), -1).all(-1))


def empty_row_error(model: Any, batches: Batches, tensors: Sequence[Any] = ()) -> StepError | None:
    """Return the error of the first row of which a mask leaves no step; None if there is none.

    ``tensors`` are those for which ``batches`` has values, if they are not the model's inputs. The
    masks do not depend on weights, which are NaN when this is called.
    """
    tensors_by_name = dict(zip((tensor.name for tensor in model.inputs), model.inputs, strict=True))
    if tensors:
        tensors_by_name = dict(zip(batches.dataset.inputs, tensors, strict=True))
    for masked in _masked_layers(model):
        try:
            function = _function(list(tensors_by_name.values()), masked)
            row = _first_empty(function, masked.empty, list(tensors_by_name), batches)
        except ValueError:  # the mask depends on other tensors
            continue
        if row is not None:
            inner = f" in {masked.inner}" if masked.inner else ""
            return StepError(
                f"row {row:,} gives NaN{inner}: all of its steps are masked, so their mean is NaN. "
                "The row is an empty text, or all of its ids are 0; remove such rows, or write "
                "mask_zero: false",
                masked.layer,
            )
    return None


def with_note_of_empty_rows(
    parts: Iterable[Mapping[str, Array]], model: Any, batches: Batches, say: Callable[[str], None]
) -> Iterator[Mapping[str, Array]]:
    """Yield the predictions unchanged, with one note where empty rows made some of them NaN."""
    reported = False
    for part in parts:
        if not reported and any(map(_has_nan, part.values())):
            reported, error = True, empty_row_error(model, batches)
            if error is not None:
                say(f"predictions are NaN: layer {error.layer}: {error}")
        yield part


def _has_nan(array: Array) -> bool:
    return array.dtype.kind == "f" and bool(np.isnan(array).any())


@dataclass(frozen=True)
class _Masked:
    """A layer that returns NaN for rows without steps, and the mask of its input.

    ``path`` has the call's inputs and the own inputs of each model around the layer.
    """

    layer: str
    mask: Any
    empty: Empty
    path: tuple[tuple[Sequence[Any], Sequence[Any]], ...] = ()
    inner: str = ""


def _masked_layers(model: Any) -> Iterator[_Masked]:
    """Yield the layers that return NaN for rows without steps, also those in nested models."""
    for node in graph_nodes(model):
        if node.is_input or not isinstance(node.operation, keras.Layer):
            continue
        for mask, of in _masks(node):
            if empty := _needs_steps(node, mask, of):
                yield _Masked(node.operation.name, mask, empty)
        nested = as_functional(node.operation)
        taken = None if nested is None else taken_by(node, nested)
        if nested is not None and taken is not None:
            for inside in _masked_layers(nested):
                inner = "/".join(filter(None, (inside.layer, inside.inner)))
                path = ((taken, nested.inputs), *inside.path)
                yield _Masked(node.operation.name, inside.mask, inside.empty, path, inner)


def _masks(node: GraphNode) -> Iterator[tuple[Any, Any]]:
    """Yield the masks of a layer's inputs, each with its tensor; None for a mask as an argument."""
    yield from ((mask, tensor) for tensor in node.inputs if (mask := mask_of(tensor)) is not None)
    if isinstance(mask := node.kwargs.get("mask"), keras.KerasTensor):
        yield mask, None


def _needs_steps(node: GraphNode, mask: Any, of: Any) -> Empty | None:
    """Return which rows of a mask make a layer return NaN, from a trial with ones; None if none."""
    shape = [size or _TRIAL_STEPS for size in mask.shape[1:]]
    whole = np.ones([_TRIAL_ROWS, *shape], bool)
    if not shape or _gives_nan(node, of, whole):
        return None
    group, none = whole.copy(), whole.copy()
    group[(0,) * len(shape)] = False
    none[0] = False
    for trial, empty in ((group, _of_a_group_of_no_step), (none, _of_no_step)):
        if _gives_nan(node, of, trial):
            return empty
    return None


def _gives_nan(node: GraphNode, masked: Any, mask: Array) -> bool:
    """Return True where a layer with weights of 1 returns NaN for inputs of 1 with a mask."""
    ones = {id(tensor): _ones(tensor) for tensor in node.inputs}
    floats = [variable for variable in node.operation.variables if "float" in variable.dtype]
    weights = [(variable, tf.ones(variable.shape, variable.dtype)) for variable in floats]
    args, kwargs = node.fill_in(ones)
    if masked is None:
        kwargs["mask"] = tf.constant(mask)
    else:
        # A loaded model passes masks on as arguments too; without, Keras takes them from tensors.
        kwargs.pop("mask", None)
        set_mask(ones[id(masked)], tf.constant(mask))
    try:
        with keras.StatelessScope(weights):
            results = keras.tree.flatten(node.operation(*args, **kwargs))
    except Exception:  # noqa: BLE001 - layers raise any type on ones
        return False
    return any(_has_nan(np.asarray(result)) for result in results)


def _ones(tensor: Any) -> Any:
    shape = [_TRIAL_ROWS, *(size or _TRIAL_STEPS for size in tensor.shape[1:])]
    if tensor.dtype == "string":
        return tf.fill(shape, "1")
    return tf.ones(shape, tensor.dtype)


def _function(tensors: Sequence[Any], masked: _Masked) -> Callable[[Any], Any]:
    """Return a function from the values of the outer model's tensors to a mask inside of it."""
    stages: list[Callable[[Any], Any]] = []
    for taken, inputs in masked.path:
        stages.append(keras.Function(list(tensors), list(taken)))
        tensors = inputs
    stages.append(keras.Function(list(tensors), masked.mask))

    def mask(values: Any) -> Any:
        for stage in stages:
            values = stage(values)
        return values

    return mask


def _first_empty(
    masks: Callable[[Any], Any], empty: Empty, names: Sequence[str], batches: Batches
) -> int | None:
    for start in range(0, batches.samples, _ROWS):
        positions = np.arange(start, min(start + _ROWS, batches.samples))
        inputs = batches.gather(positions).inputs
        rows = empty(np.asarray(masks([tf.convert_to_tensor(inputs[name]) for name in names])))
        if rows.any():
            return int(batches.rows[positions[int(rows.argmax())]])
    return None

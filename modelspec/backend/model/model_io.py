"""Conversion between arrays by name and the structure of a Keras model's inputs and outputs."""

from typing import Any

import keras
import numpy as np

from modelspec.backend.keras_private import mask_of
from modelspec.data.batches import Batch
from modelspec.data.concatenated import Array
from modelspec.results.output import Output
from modelspec.results.shape import Shape


def output_names(model: Any) -> list[str]:
    """Return the public names of a model's outputs, in the order of its ``outputs``."""
    if not isinstance(model.output, dict):
        return list(model.output_names)
    # Keras also accepts dicts in dicts, and lists in them.
    return ["/".join(map(str, path)) for path, _ in keras.tree.flatten_with_path(model.output)]


def model_outputs(model: Any) -> dict[str, Output]:
    """Return each output, by public name."""
    outputs = map(output_of, model.outputs)
    return dict(zip(output_names(model), outputs, strict=True))


def output_of(tensor: Any) -> Output:
    """Return the shape, dtype and mask of a symbolic tensor."""
    mask = mask_of(tensor)
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return Output(tuple(tensor.shape), dtype, None if mask is None else tuple(mask.shape))


def batch_arrays(model: Any, batch: Batch) -> Any:
    """Return inputs, targets and, if there are any, weights, in the form of ``fit``."""
    arrays = input_arrays(model, batch), target_arrays(model, batch)
    return (*arrays, weight_arrays(model, batch)) if batch.weights else arrays


def input_arrays(model: Any, batch: Batch) -> Any:
    arrays = [batch.inputs[tensor.name] for tensor in model.inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def target_arrays(model: Any, batch: Batch) -> Any:
    """Return targets in the form of the model's outputs; zeros where an output is not trained.

    One-dimensional ones get the last axis of an output of one unit, as in Keras's losses: some
    metrics, such as ``F1Score``, refuse them without it.
    """
    rows = len(next(iter(batch.inputs.values())))
    filled = {name: np.zeros((rows, 1), "f") for name in output_names(model)} | dict(batch.targets)
    for name, output in model_outputs(model).items():
        if output.shape[1:] == (1,) and filled[name].ndim == 1:
            filled[name] = filled[name][:, None]
    return _shaped(model, filled)


def weight_arrays(model: Any, batch: Batch) -> Any:
    """Return weights in the form of the model's outputs; ones where an output has none."""
    rows = len(next(iter(batch.inputs.values())))
    # A loss has one axis less than its output; ones must have as many to be broadcast along it.
    shapes = {name: output.shape for name, output in model_outputs(model).items()}
    blank = {
        name: np.ones((rows, *(1 for _ in shape[1:-1])), "f") for name, shape in shapes.items()
    }
    weights = {
        name: _as_losses(array, shapes[name], batch.targets[name])
        for name, array in batch.weights.items()
    }
    return _shaped(model, {**blank, **weights})


def _as_losses(weights: Array, output: Shape, target: Array) -> Array:
    """Return weights in the shape of the losses, so that they count alike in every form of outputs.

    Keras drops a last axis of 1 for a single output, and broadcasts it for those of a list. It
    would also drop an axis of steps.
    """
    if weights.ndim < 2 or weights.shape[-1] != 1:  # noqa: PLR2004 - samples, and one axis more
        return weights
    if weights.ndim >= len(output):
        return weights[..., 0]
    if target.ndim >= weights.ndim and target.shape[weights.ndim - 1] > 1:
        return np.repeat(weights, target.shape[weights.ndim - 1], axis=-1)
    return weights


def _shaped(model: Any, filled: dict[str, Array]) -> Any:
    return keras.tree.pack_sequence_as(model.output, [filled[name] for name in output_names(model)])

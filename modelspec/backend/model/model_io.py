"""Between arrays by name and the form in which a Keras model takes and gives them."""

from typing import Any

import numpy as np

from modelspec.data.batches import Batch
from modelspec.data.concatenated import Array
from modelspec.results.summary import Shape


def output_names(model: Any) -> list[str]:
    """The public names of a model's outputs, in the order of its ``outputs``."""
    return sorted(model.output) if isinstance(model.output, dict) else list(model.output_names)


def output_shapes(model: Any) -> dict[str, Shape]:
    """The shape of each output, with the leading batch, by public name."""
    shapes = (tuple(tensor.shape) for tensor in model.outputs)
    return dict(zip(output_names(model), shapes, strict=True))


def batch_arrays(model: Any, batch: Batch) -> Any:
    """Inputs, targets and, where there are any, weights, as ``fit`` takes them."""
    arrays = input_arrays(model, batch), target_arrays(model, batch)
    return (*arrays, weight_arrays(model, batch)) if batch.weights else arrays


def input_arrays(model: Any, batch: Batch) -> Any:
    arrays = [batch.inputs[tensor.name] for tensor in model.inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def target_arrays(model: Any, batch: Batch) -> Any:
    """Targets in the form of the model's outputs; zeros where an output is not trained.

    Flat ones get the axis of an output of one unit, as Keras's losses see them: some metrics, such
    as ``F1Score``, refuse them without it.
    """
    rows = len(next(iter(batch.inputs.values())))
    filled = {name: np.zeros((rows, 1), "f") for name in output_names(model)} | dict(batch.targets)
    for name, shape in output_shapes(model).items():
        if shape[1:] == (1,) and filled[name].ndim == 1:
            filled[name] = filled[name][:, None]
    return _shaped(model, filled)


def weight_arrays(model: Any, batch: Batch) -> Any:
    """Weights in the form of the model's outputs; ones where an output has none."""
    rows = len(next(iter(batch.inputs.values())))
    # A loss has one axis less than its output; ones must have as many to be broadcast along it.
    blank = {
        name: np.ones((rows, *(1 for _ in shape[1:-1])), "f")
        for name, shape in output_shapes(model).items()
    }
    return _shaped(model, {**blank, **batch.weights})


def _shaped(model: Any, filled: dict[str, Array]) -> Any:
    if isinstance(model.output, dict):
        return filled
    return list(filled.values()) if isinstance(model.output, list) else filled.popitem()[1]

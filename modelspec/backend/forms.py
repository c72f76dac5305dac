"""Between arrays by name and the form in which a Keras model takes and gives them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelspec.feed import Array, Piece
from modelspec.summary import Shape


def output_names(model: Any) -> list[str]:
    """The public names of a model's outputs, in the order of its ``outputs``."""
    return sorted(model.output) if isinstance(model.output, dict) else list(model.output_names)


def output_shapes(model: Any) -> dict[str, Shape]:
    """The shape of each output, with the leading batch, by public name."""
    shapes = (tuple(tensor.shape) for tensor in model.outputs)
    return dict(zip(output_names(model), shapes, strict=True))


def input_arrays(model: Any, piece: Piece) -> Any:
    arrays = [piece.inputs[tensor.name] for tensor in model.inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def shaped(model: Any, values: Mapping[str, Array]) -> Any:
    """Arrays by name in the form of the model's outputs; zeros where an output is not trained."""
    rows = len(next(iter(values.values())))
    filled = {name: values.get(name, np.zeros((rows, 1), "f")) for name in output_names(model)}
    if isinstance(model.output, dict):
        return filled
    return list(filled.values()) if isinstance(model.output, list) else filled.popitem()[1]

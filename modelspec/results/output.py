"""The properties of a model's output that the checks of its targets need."""

from dataclasses import dataclass

from modelspec.results.shape import Shape


@dataclass(frozen=True, slots=True)
class Output:
    """An output's shape, dtype and, if it carries a mask, the mask's shape.

    Shapes start with the batch; None is an unknown length.
    """

    shape: Shape
    dtype: str = "float32"
    mask: Shape | None = None

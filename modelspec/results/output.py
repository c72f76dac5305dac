"""What an output of a model is, for those who judge its targets."""

from dataclasses import dataclass

from modelspec.results.summary import Shape


@dataclass(frozen=True, slots=True)
class Output:
    """An output's shape, dtype and, where it carries a mask, the mask's shape.

    Shapes have the leading batch; None is an unknown length.
    """

    shape: Shape
    dtype: str = "float32"
    mask: Shape | None = None

"""What a model is, as plain data: layers, shapes and parameters."""

from dataclasses import asdict, dataclass
from typing import Any

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or an output; the batch is the leading None of ``shape``."""

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer of a model; ``sources`` are the layers whose results it is called on.

    ``line`` is the line of the spec that makes the layer, None where there is no spec.
    """

    name: str
    type: str
    output_shape: Shape | list[Shape]
    dtype: str
    params: int
    trainable_params: int
    sources: tuple[str, ...]
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Parameters:
    """Counts of a model's weights, and their size in bytes; optimizer state is not among them."""

    total: int
    trainable: int
    non_trainable: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole model."""

    name: str
    inputs: tuple[Tensor, ...]
    layers: tuple[LayerRow, ...]
    outputs: tuple[Tensor, ...]
    params: Parameters

    def as_json(self) -> dict[str, Any]:
        """The form of ``summary --format json``."""
        data = asdict(self)
        for layer in data["layers"]:
            line = layer.pop("line")
            layer["from"] = list(layer.pop("sources"))
            layer["line"] = line
        return data

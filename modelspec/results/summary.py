"""Summary of a model as plain data: layers, shapes and parameters."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from modelspec.results.shape import Shape


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or an output; the batch is the leading None of ``shape``."""

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer of a model; ``sources`` are the layers that compute its inputs.

    ``line`` is the layer's line in the spec, None where there is no spec.
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
    """Counts of a model's weights, and their size in bytes, without optimizer state."""

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

    def with_lines(self, lines: Mapping[str, int]) -> "Summary":
        """Return a copy with the spec's lines by layer name."""
        layers = tuple(replace(layer, line=lines.get(layer.name)) for layer in self.layers)
        return replace(self, layers=layers)

    def as_json(self) -> dict[str, Any]:
        """Return the form of ``summary --format json``."""
        data = asdict(self)
        for layer in data["layers"]:
            line = layer.pop("line")
            layer["from"] = list(layer.pop("sources"))
            layer["line"] = line
        return data

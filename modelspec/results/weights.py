"""The weights of a model by layer, and the source of each layer's weights, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

State = Literal["loaded", "fresh", "skipped", "shape differs", "array"]


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight of a layer.

    ``name`` is Keras's name of it in the layer (``kernel``, ``forward_lstm/lstm_cell/kernel``),
    ``slot`` its place among the layer's weights in a file (``vars/0``,
    ``forward_layer/cell/vars/0``), ``index`` its place among all variables of the model.
    ``learned`` says whether training would change it if it were not frozen.
    """

    name: str
    slot: str
    shape: tuple[int, ...]
    dtype: str
    index: int
    learned: bool
    frozen: bool = False


Layout: TypeAlias = Mapping[str, Sequence[Weight]]
"""The weights of each layer that has any, by the layer's name."""


@dataclass(frozen=True, slots=True)
class LayerStart:
    """The source of the weights of one layer; ``theirs`` is the layer's name in the file."""

    layer: str
    line: int | None
    state: State
    theirs: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Account:
    """The sources of all layers with weights, and the layers of the file that are not used."""

    source: str | None
    layers: tuple[LayerStart, ...]
    unused: tuple[str, ...] = ()

    def count(self, *states: State) -> int:
        return sum(layer.state in states for layer in self.layers)

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "layers": [asdict(layer) for layer in self.layers],
            "unused": list(self.unused),
        }

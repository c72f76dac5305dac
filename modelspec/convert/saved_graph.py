"""The graph of a saved model as plain data: its inputs, calls and outputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Ref:
    """One tensor: an input by its name, or the result ``index`` of the call ``source``."""

    source: "str | int"
    index: int = 0


@dataclass(frozen=True, slots=True)
class SavedInput:
    name: str
    shape: tuple[int | None, ...]
    dtype: str
    dropped: tuple[str, ...] = ()
    """Parts that a spec cannot contain."""


@dataclass(eq=False, slots=True)
class SavedLayer:
    """A layer, an operation or a model with its config as it is saved."""

    name: str
    kind: str
    module: str
    registered: str
    config: Mapping[str, Any]
    build: Mapping[str, Any]
    inner: "SavedGraph | None" = None

    @property
    def is_operation(self) -> bool:
        return self.module.startswith("keras.src.ops") or self.module == "keras.ops"


@dataclass(eq=False, slots=True)
class SavedCall:
    """One call of a layer: positional and named arguments, in which tensors are ``Ref``."""

    id: int
    layer: SavedLayer
    index: int
    args: list[Any]
    kwargs: dict[str, Any]

    def refs(self) -> Iterator[Ref]:
        yield from refs_in(self.args)
        yield from refs_in(self.kwargs)


@dataclass(slots=True)
class SavedGraph:
    """The graph; its calls are in an order in which they can be made."""

    name: str
    kind: Literal["Functional", "Sequential"]
    inputs: list[SavedInput]
    calls: list[SavedCall]
    outputs: list[tuple[str, Ref]]
    form: Literal["name", "list", "mapping"]
    flattened: bool = False
    """True where the outputs are nested deeper than a spec can write."""
    trainable: bool = True


def refs_in(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from refs_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from refs_in(item)

"""A draft of a spec: its items have references instead of names, which are chosen last."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from modelspec.convert.saved_graph import Ref, SavedInput

Sources = Mapping[str | None, Ref | tuple[Ref, ...]]
"""Call arguments and their sources; the key None is the first positional argument."""


Path = tuple[tuple[int, int], ...]
"""Steps inside of blocks, outermost first, each with the number of its call."""


@dataclass(eq=False, slots=True)
class Step:
    """One item of ``layers``; references contain its ``id``.

    ``name`` is the layer's in the saved model. If it is ``free``, any other name is possible.
    ``owner`` is the step whose layer is called again, ``turn`` the number of that call of the saved
    layer. ``inner`` are the saved layers with weights inside a use of a block or a repeated item:
    the number of the call, the place in the block, and the saved name. ``names`` are those of the
    calls of a repeated item.
    """

    id: int
    type: str
    arguments: Mapping[str, Any]
    sources: Sources
    name: str
    call: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    results: int = 1
    owner: int | None = None
    turn: int = 0
    gap: str | None = None
    repeat: int = 1
    free: bool = False
    weighted: bool = False
    inner: tuple[tuple[int, Path, str], ...] = ()
    names: tuple[str, ...] = ()

    def refs(self) -> Iterator[Ref]:
        for sources in self.sources.values():
            yield from sources if isinstance(sources, tuple) else (sources,)

    def weights(self) -> tuple[tuple[int, Path, str], ...]:
        """The saved layers with weights in this step, in the form of ``inner``."""
        return self.inner or (((0, (), self.name),) if self.weighted else ())


@dataclass(eq=False, slots=True)
class Body:
    """The items of ``layers`` of the spec or of a block, its inputs and its outputs."""

    inputs: list[str]
    steps: list[Step]
    outputs: list[tuple[str, Ref]]
    form: Literal["name", "list", "mapping"]


@dataclass(eq=False, slots=True)
class Block:
    """A block; ``params`` are the names of its parameters, which every use sets."""

    name: str
    body: Body
    params: tuple[str, ...] = ()


@dataclass(slots=True)
class Draft:
    """A whole spec; ``models`` are entries for files, ``settings`` the keys after ``outputs``."""

    name: str | None
    inputs: list[SavedInput]
    body: Body
    blocks: dict[str, Block]
    models: dict[str, Mapping[str, str]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """A part that a spec cannot contain, of the layer at a path; an empty path is the model."""

    layer: str
    message: str
    step: Step | None = None

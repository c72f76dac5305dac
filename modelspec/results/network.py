"""The graph of a model as plain data for pictures: inputs, layers, heads, and their links."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["input", "layer", "head"]

Measure = Literal["params", "flops", "memory"]
"""The measures for the colours of a picture: parameters, operations, or bytes of a step."""


@dataclass(frozen=True, slots=True)
class Group:
    """A block, a repeat or a nested model; ``key`` is unique in the picture."""

    key: str
    name: str
    type: str = ""
    line: int | None = None
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Vertex:
    """An input, a layer with its weights, or a head, once for all of its calls.

    ``key`` is unique. ``arguments`` are texts such as ``units: 64``. ``groups`` contain it,
    outermost first. ``cost`` is None if it is not measured. ``notes`` are further lines, such as
    the loss of a head.
    """

    key: str
    name: str
    kind: Kind
    type: str = ""
    arguments: tuple[str, ...] = ()
    shape: str = ""
    params: int = 0
    line: int | None = None
    groups: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A tensor that goes from a vertex to another.

    The numbers are those of the calls, from 1, of vertices that are called several times.
    """

    source: str
    target: str
    source_call: int | None = None
    target_call: int | None = None

    @property
    def label(self) -> str:
        """``call 2``, or ``call 2 to 1`` between two layers with several calls.

        Inside of a shared block, where each call leads to the one of the same number, it is empty.
        """
        if self.source_call == self.target_call:
            return ""
        numbers = [str(call) for call in (self.source_call, self.target_call) if call is not None]
        return f"call {' to '.join(numbers)}" if numbers else ""


@dataclass(frozen=True, slots=True)
class Network:
    """The graph of a model. ``vertices`` are in an order in which they can be called.

    ``unit`` is the unit of the costs, in words; it is empty if they are not measured.
    """

    name: str
    vertices: tuple[Vertex, ...]
    links: tuple[Link, ...]
    params: int
    measure: Measure | None = None
    unit: str = ""

    def with_params(self) -> "Network":
        """Return a copy with the parameters of each layer as its cost."""
        vertices = tuple(
            replace(vertex, cost=None if vertex.kind == "head" else vertex.params)
            for vertex in self.vertices
        )
        return replace(self, vertices=vertices, measure="params", unit="the parameters")

    def with_costs(self, costs: Mapping[str, int], measure: Measure, unit: str) -> "Network":
        """Return a copy with costs by the names of layers; a nested model has one for all of it."""

        def cost(vertex: Vertex) -> int | None:
            inside = any(group.name in costs for group in vertex.groups)
            return None if inside or vertex.kind == "head" else costs.get(vertex.name)

        vertices = tuple(
            replace(
                vertex,
                cost=cost(vertex),
                groups=tuple(replace(group, cost=costs.get(group.name)) for group in vertex.groups),
            )
            for vertex in self.vertices
        )
        return replace(self, vertices=vertices, measure=measure, unit=unit)

    def count(self, kind: Kind) -> int:
        return sum(vertex.kind == kind for vertex in self.vertices)

    @property
    def description(self) -> str:
        """Describe the picture in one sentence, for readers who do not see it."""
        inputs = [vertex.name for vertex in self.vertices if vertex.kind == "input"]
        heads = [vertex.name for vertex in self.vertices if vertex.kind == "head"]
        return (
            f"A model with {_counted(inputs, 'input')}, {self.count('layer'):,} layers, "
            f"{self.params:,} parameters and {_counted(heads, 'output')}."
        )


_NAMED = 5


def _counted(names: list[str], what: str) -> str:
    """Return ``2 inputs (left, right)``."""
    more = ", …" if len(names) > _NAMED else ""
    plural = "" if len(names) == 1 else "s"
    return f"{len(names):,} {what}{plural} ({', '.join(names[:_NAMED])}{more})"

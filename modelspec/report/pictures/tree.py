"""The boxes of a picture: vertices inside of blocks, repeats and nested models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from modelspec.results.network import Group, Network, Vertex


@dataclass(slots=True, eq=False)
class Branch:
    """A box that contains others. The root has no group."""

    group: Group | None
    children: "list[Branch | Leaf]" = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.group.name if self.group else ""

    def vertices(self) -> Iterator[Vertex]:
        waiting: list[Branch | Leaf] = [self]
        while waiting:
            box = waiting.pop()
            if isinstance(box, Leaf):
                yield box.vertex
            else:
                waiting.extend(reversed(box.children))

    @property
    def cost(self) -> int | None:
        """The group's own cost, or the sum of the costs in it."""
        if self.group is not None and self.group.cost is not None:
            return self.group.cost
        costs = [box.cost for box in self.children if box.cost is not None]
        return sum(costs) if costs else None


@dataclass(slots=True, eq=False)
class Leaf:
    """A box for one vertex."""

    vertex: Vertex

    @property
    def name(self) -> str:
        return self.vertex.name

    @property
    def cost(self) -> int | None:
        return self.vertex.cost


Box = Branch | Leaf


def make_tree(network: Network) -> Branch:
    """Return the vertices by their groups, in order."""
    root = Branch(None)
    branches: dict[str, Branch] = {}
    for vertex in network.vertices:
        parent = root
        for group in vertex.groups:
            if group.key not in branches:
                branches[group.key] = Branch(group)
                parent.children.append(branches[group.key])
            parent = branches[group.key]
        parent.children.append(Leaf(vertex))
    return root


def height(box: Box) -> int:
    """Return the number of nested groups."""
    if isinstance(box, Leaf):
        return 0
    inner = max((height(child) for child in box.children), default=0)
    return inner + (box.group is not None)


def is_same(one: Box, other: Box) -> bool:
    """Return True where two boxes have layers of the same types in the same order."""
    return _types(one) == _types(other)


def _types(box: Box) -> Sequence[str]:
    if isinstance(box, Leaf):
        return [box.vertex.type]
    return [vertex.type for vertex in box.vertices()]

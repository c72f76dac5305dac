"""The tensors of a graph whose layers were called."""

from dataclasses import dataclass, field
from typing import Any

from modelspec.graph.graph import Source
from modelspec.problems.diagnostic import Diagnostic, Route

Shape = tuple[int | None, ...]


@dataclass
class Assembly:
    """The results of the calls, by node, without those of calls that failed and their descendants.

    ``routes`` are the places of the inputs and nodes, ``tried`` the calls of operations that were
    traced.
    """

    values: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)
    tried: set[tuple[object, ...]] = field(default_factory=set)

    def tensor(self, source: Source) -> Any:
        value = self.values[source.name]
        return value if source.index is None else value[source.index]

    def shape(self, source: Source) -> Shape | None:
        """Return a tensor's shape, with the batch first; None for several or failed results."""
        if source.name not in self.values:
            return None
        shape = getattr(self.tensor(source), "shape", None)
        return None if shape is None else tuple(shape)

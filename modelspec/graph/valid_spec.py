"""A spec without errors, from which models are built, trained and summarized."""

from dataclasses import dataclass

from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.language.document import Document
from modelspec.language.loss_weights import Strategy, read_strategy
from modelspec.language.spec import Spec


@dataclass(frozen=True, slots=True)
class ValidSpec:
    """All artifacts of a spec without errors; none of them is None."""

    document: Document
    spec: Spec
    graph: Graph
    heads: tuple[Head, ...]
    catalog: Catalog

    @property
    def strategy(self) -> Strategy | None:
        """The strategy that sets the weights of the losses; None where they are numbers."""
        return read_strategy(self.spec.loss_weights, [head.output for head in self.heads])[0]

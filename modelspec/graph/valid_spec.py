"""A spec without errors, from which models are built, trained and summarized."""

from dataclasses import dataclass

from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.language.document import Document
from modelspec.language.spec import Spec


@dataclass(frozen=True, slots=True)
class ValidSpec:
    """All artifacts of a spec without errors; none is None."""

    document: Document
    spec: Spec
    graph: Graph
    heads: tuple[Head, ...]
    catalog: Catalog

"""A spec without errors: what building, training and summaries start from."""

from dataclasses import dataclass

from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.language.document import Document
from modelspec.language.spec import Spec


@dataclass(frozen=True, slots=True)
class ValidSpec:
    """Every artifact of a spec that has no errors, none of them missing."""

    document: Document
    spec: Spec
    graph: Graph
    heads: tuple[Head, ...]
    catalog: Catalog

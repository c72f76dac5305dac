"""The outputs of a graph that need targets, and layers that add losses without targets."""

from collections.abc import Sequence

from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.language.written import Written


def outputs_with_targets(heads: Sequence[Head], catalog: Catalog) -> list[str]:
    """Return the outputs with a loss or a metric that uses targets."""
    judged = (head for head in heads if head.loss is not None or head.metrics)
    return [head.output for head in judged if not _needs_no_target(head, catalog)]


def adds_loss(graph: Graph, catalog: Catalog) -> bool:
    """Return True where a layer of a plugin adds a loss of its own with ``add_loss``."""
    entries = (catalog.find("layer", node.type) for node in graph.nodes)
    return any(entry is not None and entry.adds_loss for entry in entries)


def _needs_no_target(head: Head, catalog: Catalog) -> bool:
    written = Written.read(head.loss) if head.loss is not None else None
    entry = catalog.find("loss", written.name) if written else None
    return entry is not None and not entry.targets and not head.metrics

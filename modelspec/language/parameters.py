"""Document → Document: ``params`` computed, and expressions outside the graph filled in.

Layers and blocks keep their ``${…}``, because block parameters and the ``${i}`` of a repeat are
known only when the graph is expanded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from modelspec.language.document import Document
from modelspec.language.expressions import compute, has_expression, size
from modelspec.language.yaml_nodes import YamlEntry, YamlNode
from modelspec.language.yaml_tree import MAX_NODES
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Route

_EXPANDED_LATER = {"layers", "blocks"}


def put_parameters(document: Document) -> tuple[Document, list[Diagnostic]]:
    """Compute ``params`` (each may use those above it) and fill every section but the graph."""
    sections = document.root.content
    if not isinstance(sections, dict):
        return document, []
    filler = _Filler()
    ordered = sorted(sections.items(), key=lambda section: section[0] != "params")
    filled: dict[str | int, YamlEntry] = {}
    for key, entry in ordered:
        value = entry.value
        if key == "params" and isinstance(value.content, dict):
            value = filler.compute(value, value.content)
        elif key not in _EXPANDED_LATER:
            value = filler.fill(value, (key,))
        filled[key] = YamlEntry(entry.key, value)
    content = {key: filled[key] for key in sections}
    root = replace(document.root, content=content)
    return replace(document, root=root), filler.problems


@dataclass
class _Filler:
    scope: dict[str, Any] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)
    room: int = MAX_NODES

    def compute(self, node: YamlNode, params: Mapping[str | int, YamlEntry]) -> YamlNode:
        computed: dict[str | int, YamlEntry] = {}
        for name, entry in params.items():
            value = self.fill(entry.value, ("params", name))
            computed[name] = YamlEntry(entry.key, value)
            self.scope[str(name)] = value.data()
        return replace(node, content=computed)

    def fill(self, node: YamlNode, route: Route) -> YamlNode:
        if isinstance(node.content, dict):
            entries = {
                key: YamlEntry(entry.key, self.fill(entry.value, (*route, key)))
                for key, entry in node.content.items()
            }
            return replace(node, content=entries)
        if isinstance(node.content, list):
            items = [self.fill(item, (*route, index)) for index, item in enumerate(node.content)]
            return replace(node, content=items)
        if not isinstance(node.content, str) or not has_expression(node.content):
            return node
        return _grown(self.bounded(node.content, route), node)

    def bounded(self, text: str, route: Route) -> Any:
        """Report a parameter that is too large: nested lists grow without limit in a few lines."""
        value = compute(text, self.scope, route, self.problems) if self.room > 0 else UNKNOWN
        before = self.room
        self.room -= size(value, MAX_NODES)
        if self.room > 0:
            return value
        if before > 0:
            message = f"the expressions produce more than {MAX_NODES:,} values"
            self.problems.append(Diagnostic("too-large", message, route))
        return UNKNOWN


def _grown(data: Any, at: YamlNode) -> YamlNode:
    """Return computed plain data as a tree; all its nodes have the place of the expression."""
    if isinstance(data, dict):
        content: Any = {key: YamlEntry(at.span, _grown(item, at)) for key, item in data.items()}
    elif isinstance(data, list):
        content = [_grown(item, at) for item in data]
    else:
        content = data
    return replace(at, content=content)

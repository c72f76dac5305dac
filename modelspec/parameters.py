"""Document → Document: ``params`` computed and put in wherever only they can stand.

Layers and blocks keep their ``${…}``: block parameters and the ``${i}`` of a repeat are known only
when the graph is expanded.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelspec.diagnostics import Diagnostic, Route
from modelspec.expressions import ExpressionError, has_expression, substitute
from modelspec.source import Document
from modelspec.yamltree import YamlEntry, YamlNode

_EXPANDED_LATER = {"layers", "blocks"}


def put_parameters(document: Document) -> tuple[Document, list[Diagnostic]]:
    """Compute ``params`` (each may use those above it) and fill every section but the graph."""
    problems: list[Diagnostic] = []
    scope: dict[str, Any] = {}
    sections = document.root.content
    if not isinstance(sections, dict):
        return document, problems
    ordered = sorted(sections.items(), key=lambda section: section[0] != "params")
    filled: dict[str | int, YamlEntry] = {}
    for key, entry in ordered:
        value = entry.value
        if key == "params" and isinstance(value.content, dict):
            value = _compute(value, value.content, scope, problems)
        elif key not in _EXPANDED_LATER:
            value = _fill(value, scope, (key,), problems)
        filled[key] = YamlEntry(entry.key, value)
    content = {key: filled[key] for key in sections}
    return replace(document, root=replace(document.root, content=content)), problems


def _compute(
    node: YamlNode,
    params: Mapping[str | int, YamlEntry],
    scope: dict[str, Any],
    problems: list[Diagnostic],
) -> YamlNode:
    computed: dict[str | int, YamlEntry] = {}
    for name, entry in params.items():
        value = _fill(entry.value, scope, ("params", name), problems)
        computed[name] = YamlEntry(entry.key, value)
        scope[str(name)] = value.data()
    return replace(node, content=computed)


def _fill(
    node: YamlNode, scope: Mapping[str, Any], route: Route, problems: list[Diagnostic]
) -> YamlNode:
    if isinstance(node.content, dict):
        entries = {
            key: YamlEntry(entry.key, _fill(entry.value, scope, (*route, key), problems))
            for key, entry in node.content.items()
        }
        return replace(node, content=entries)
    if isinstance(node.content, list):
        items = [
            _fill(item, scope, (*route, index), problems) for index, item in enumerate(node.content)
        ]
        return replace(node, content=items)
    if not isinstance(node.content, str) or not has_expression(node.content):
        return node
    try:
        return _grown(substitute(node.content, scope), node)
    except ExpressionError as error:
        problems.append(Diagnostic("bad-expression", str(error), route, hint=error.hint))
        return replace(node, content=None)


def _grown(data: Any, at: YamlNode) -> YamlNode:
    """Computed plain data as a tree; all of it stands where the expression stands."""
    if isinstance(data, dict):
        content: Any = {key: YamlEntry(at.span, _grown(item, at)) for key, item in data.items()}
    elif isinstance(data, list):
        content = [_grown(item, at) for item in data]
    else:
        content = data
    return replace(at, content=content)

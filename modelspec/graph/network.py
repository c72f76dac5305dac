"""Spec → Network: its graph with shapes, parameters and lines, for pictures."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modelspec.graph.graph import Graph, Node
from modelspec.graph.heads import Head
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.document import Document
from modelspec.language.written import value_text
from modelspec.problems.diagnostic import Route
from modelspec.results.network import Group, Link, Network, Vertex
from modelspec.results.shape import Shape
from modelspec.results.summary import LayerRow, Summary


def make_network(valid: ValidSpec, summary: Summary) -> Network:
    """Return the graph of a spec for pictures; ``summary`` is that of its model."""
    rows = {row.name: row for row in summary.layers}
    graph, document = valid.graph, valid.document
    vertices = [_input(name, graph, document) for name in graph.inputs]
    vertices += _layers(graph, document, rows)
    vertices += [_head(head, strategy=valid.strategy is not None) for head in valid.heads]
    return Network(graph.name, tuple(vertices), tuple(_links(graph)), summary.params.total)


def _input(name: str, graph: Graph, document: Document) -> Vertex:
    declared = graph.inputs[name]
    return Vertex(
        key=f"input/{name}",
        name=name,
        kind="input",
        type=declared.dtype,
        shape=_shape((None, *declared.shape)),
        line=document.locate(declared.route, "key").span.line,
    )


def _layers(graph: Graph, document: Document, rows: Mapping[str, LayerRow]) -> Iterator[Vertex]:
    owners = [node for node in graph.nodes if node.layer == node.name]
    groups = _Groups(owners, document)
    for node in owners:
        row = rows.get(node.layer)
        yield Vertex(
            key=f"layer/{node.layer}",
            name=node.layer,
            kind="layer",
            type=node.type,
            arguments=tuple(f"{key}: {value_text(value)}" for key, value in node.arguments.items()),
            shape=_shapes(row) if row else "",
            params=row.params if row else 0,
            line=document.locate(node.route).span.line,
            groups=groups.of(node),
        )


class _Groups:
    """The blocks and repeats that contain nodes."""

    def __init__(self, owners: Iterable[Node], document: Document) -> None:
        self._document = document
        self._uses: dict[tuple[str, Route], dict[str, None]] = {}
        for node in owners:
            for parent, route, name in _steps(node):
                self._uses.setdefault((parent, route), {})[name] = None

    def of(self, node: Node) -> tuple[Group, ...]:
        groups = []
        for parent, route, name in _steps(node):
            uses = self._uses[parent, route]
            line = self._document.locate(route).span.line
            if len(uses) > 1:
                first, *_, last = uses
                title = f"{first} … {last}, {len(uses)} times"
                groups.append(Group(f"{parent}/{route}", title, line=line))
            is_block = name != node.name or route != node.route
            if is_block:
                groups.append(Group(name, name, self._kind(route), line))
        return tuple(groups)

    def _kind(self, route: Route) -> str:
        item: Any = self._document.data
        for step in route:
            item = item[step]
        if isinstance(item, str):
            return item
        known = set(self._document.data.get("blocks") or {})
        return next((str(key) for key in item if key in known), "")


def _steps(node: Node) -> Iterator[tuple[str, Route, str]]:
    """Yield the blocks that contain a node, and the node: its parent's name, route and name."""
    words = node.name.split(".")
    parent = ""
    for level, route in enumerate((*node.within, node.route)):
        name = ".".join(words[: level + 1])
        yield parent, route, name
        parent = name


def _links(graph: Graph) -> Iterator[Link]:
    calls: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for node in graph.nodes:
        calls[node.layer] = numbers[node.name] = calls.get(node.layer, 0) + 1
    layers = {node.name: node.layer for node in graph.nodes}

    def end(name: str) -> tuple[str, int | None]:
        if name in graph.inputs:
            return f"input/{name}", None
        layer = layers[name]
        return f"layer/{layer}", numbers[name] if calls[layer] > 1 else None

    for node in graph.nodes:
        target, target_call = end(node.name)
        for origin in node.sources():
            source, source_call = end(origin.name)
            yield Link(source, target, source_call, target_call)
    for output, origin in graph.outputs.items():
        source, source_call = end(origin.name)
        yield Link(source, f"head/{output}", source_call)


def _head(head: Head, *, strategy: bool) -> Vertex:
    notes: tuple[str, ...] = ()
    if head.loss is not None:
        weight = "set while training" if strategy else f"{head.weight:g}"
        notes = (f"loss: {value_text(head.loss)}", f"weight: {weight}")
    return Vertex(f"head/{head.output}", head.output, "head", type="output", notes=notes)


def _shapes(row: LayerRow) -> str:
    shapes = row.output_shape if isinstance(row.output_shape, list) else [row.output_shape]
    return ", ".join(map(_shape, shapes))


def _shape(shape: Shape) -> str:
    return str(tuple(shape))

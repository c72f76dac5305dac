"""Keras model → Network: layers, nested models, and the tensors between them."""

import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from modelspec.backend.keras_private import GraphNode, as_functional, graph_nodes, input_layer
from modelspec.backend.model.model_io import output_names
from modelspec.backend.model.operations import inputs_of
from modelspec.backend.model.recursion import with_deep_stack
from modelspec.results.network import Group, Link, Network, Vertex

_KEPT_AWAY = frozenset({"name", "dtype", "trainable", "data_format", "batch_shape", "layers"})
_KEPT_AWAY_ENDS = ("_initializer", "_regularizer", "_constraint")
_LONGEST = 60

Outlet = tuple[str, int | None]
"""The vertex that computes a tensor, and the number of its call."""


def trace(model: Any, notes: Mapping[str, tuple[str, ...]] | None = None) -> Network:
    """Return the graph of a functional or sequential model; ``notes`` are lines for its heads."""
    walk = _Walk()
    with_deep_stack(lambda: walk.model(as_functional(model), ()))
    heads = []
    for name, tensor in zip(output_names(model), as_functional(model).outputs, strict=True):
        key = f"head/{name}"
        heads.append(Vertex(key, str(name), "head", notes=(notes or {}).get(name, ())))
        source, call = walk.outlets[id(tensor)]
        walk.links.append(Link(source, key, call))
    inputs = map(input_layer, as_functional(model).inputs)
    order = {layer.name: place for place, layer in enumerate(inputs)}
    drawn = sorted(
        walk.without_masks(),
        key=lambda vertex: order.get(vertex.name, 0) if vertex.kind == "input" else len(order),
    )
    return Network(
        name=model.name,
        vertices=(*drawn, *heads),
        links=tuple(walk.numbered(drawn)),
        params=sum(math.prod(weight.shape) for weight in model.weights),
    )


@dataclass
class _Walk:
    """The vertices and links found so far.

    ``outlets`` are those of tensors by ``id``; ``calls`` counts those of each vertex.
    """

    vertices: dict[str, Vertex] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    outlets: dict[int, Outlet] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    masks: set[str] = field(default_factory=set)
    inner: dict[int, str] = field(default_factory=dict)

    def model(self, model: Any, groups: tuple[Group, ...]) -> None:
        """Add a model's calls; a model that is called again is drawn once, with further links."""
        for node in graph_nodes(model):
            operation = node.operation
            nested = as_functional(operation)
            if nested is not None:
                self._nested(operation, nested, node, groups)
                continue
            key = self._vertex(node, groups)
            self.calls[key] = number = self.calls.get(key, 0) + 1
            for source, _ in inputs_of(node):
                self._link(source, key, number)
            for tensor in node.outputs:
                self.outlets[id(tensor)] = (key, number)

    def _nested(self, layer: Any, model: Any, node: GraphNode, groups: tuple[Group, ...]) -> None:
        prefix = "/".join([*(group.name for group in groups), layer.name])
        first = id(layer) not in self.inner
        self.inner.setdefault(id(layer), prefix)
        count = self.calls[prefix] = self.calls.get(prefix, 0) + 1
        if first:
            group = Group(f"{id(layer)}", layer.name, type(layer).__name__)
            self.model(model, (*groups, group))
        tensors = [tensor for tensor, _ in inputs_of(node)]
        for tensor, inside in zip(tensors, model.inputs, strict=False):
            self._link(tensor, self.outlets[id(inside)][0], count)
        for tensor, inside in zip(node.outputs, model.outputs, strict=True):
            self.outlets[id(tensor)] = (self.outlets[id(inside)][0], count)

    def _vertex(self, node: GraphNode, groups: tuple[Group, ...]) -> str:
        operation = node.operation
        key = f"{id(operation)}"
        if key not in self.vertices:
            shapes = [_shape(tensor) for tensor in node.outputs]
            self.vertices[key] = Vertex(
                key=key,
                name=operation.name,
                kind="input" if node.is_input and not groups else "layer",
                type=type(operation).__name__,
                arguments=tuple(_arguments(operation)),
                shape=", ".join(shapes),
                params=sum(math.prod(weight.shape) for weight in getattr(operation, "weights", ())),
                groups=groups,
            )
            if not isinstance(operation, keras.Layer):
                self.masks.add(key)
        return key

    def _link(self, tensor: Any, target: str, call: int) -> None:
        if id(tensor) in self.outlets:
            source, number = self.outlets[id(tensor)]
            self.links.append(Link(source, target, number, call))

    def without_masks(self) -> list[Vertex]:
        """Return the vertices without the operations of masks, whose results no vertex takes."""
        taken = {link.source for link in self.links}
        idle = {key for key in self.masks if key not in taken}
        while idle:
            self.links = [link for link in self.links if link.target not in idle]
            for key in idle:
                self.vertices.pop(key, None)
            taken = {link.source for link in self.links}
            idle = {key for key in self.masks & self.vertices.keys() if key not in taken}
        return list(self.vertices.values())

    def numbered(self, drawn: list[Vertex]) -> Iterator[Link]:
        """Yield the links, with numbers of calls for vertices that are called several times."""
        counts = dict(self.calls)
        for vertex in drawn:
            for group in vertex.groups:
                inner = self.inner.get(int(group.key), "")
                counts[vertex.key] = max(counts.get(vertex.key, 1), self.calls.get(inner, 1))
        for link in self.links:
            yield Link(
                link.source,
                link.target,
                link.source_call if counts.get(link.source, 1) > 1 else None,
                link.target_call if counts.get(link.target, 1) > 1 else None,
            )


def _shape(tensor: Any) -> str:
    return str(tuple(tensor.shape))


def _arguments(operation: Any) -> Iterator[str]:
    """Yield the arguments that describe a layer and differ from Keras's defaults."""
    if not isinstance(operation, keras.Layer) or isinstance(operation, keras.layers.InputLayer):
        return
    try:
        config = operation.get_config()
        signature = inspect.signature(type(operation).__init__).parameters
    except Exception:  # noqa: BLE001 - other layers may refuse, and are drawn without it
        return
    for key, value in config.items():
        if key in _KEPT_AWAY or key.endswith(_KEPT_AWAY_ENDS) or key not in signature:
            continue
        default = signature[key].default
        if not _is_default(value, default):
            yield f"{key}: {_text(value)}"[:_LONGEST]


def _is_default(value: Any, default: Any) -> bool:
    """Return True where a value is the default, which Keras may have repeated for each axis."""
    if value is None or value == "linear":
        return True
    if isinstance(value, list | tuple):
        spread = [default] * len(value) if isinstance(default, int) else default
        return isinstance(spread, list | tuple) and list(value) == list(spread)
    return bool(value == default)


def _text(value: Any) -> str:
    """Return a value as a spec would write it; of a Keras object its name."""
    if isinstance(value, Mapping):
        return str(value.get("class_name", "…"))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""The calls of a scope, in order, as data for the writer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelspec.convert.python.values import UnwrittenError
from modelspec.graph.graph import Graph, Node
from modelspec.graph.items import Item
from modelspec.graph.references import Reference
from modelspec.graph.scope import Scope
from modelspec.language.expressions import has_expression
from modelspec.language.spec import BlockSpec

Sources = Mapping[str | None, str | tuple[str, ...]]
"""Call arguments and the keys of their values."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call, or a chain of ``repeat`` calls.

    ``keys`` are the names that others use for its value; ``parts`` the keys of several results.
    ``variable`` is a name that the user chose. ``layer`` is the key of the step that creates the
    layer, if that is another; ``shared`` says that another step calls this one's. ``preprocess``
    says that the preprocessing of a model of ``keras.applications`` comes first.
    """

    keys: tuple[str, ...]
    type: str
    arguments: Mapping[str, Any]
    sources: Sources
    variable: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    repeat: Any = None
    layer: str | None = None
    shared: bool = False
    preprocess: bool = False


def steps_of_graph(graph: Graph, named: set[str]) -> list[Step]:
    """Return every call of a graph; layers in ``named`` get their names."""
    shared = {node.layer for node in graph.nodes if node.layer != node.name}
    return [_step_of_node(node, shared, named) for node in graph.nodes]


def _step_of_node(node: Node, shared: set[str], named: set[str]) -> Step:
    def key(name: str, index: int | None) -> str:
        return name if index is None else f"{name}#{index}"

    sources: dict[str | None, str | tuple[str, ...]] = {
        argument: tuple(key(source.name, source.index) for source in value)
        if isinstance(value, tuple)
        else key(value.name, value.index)
        for argument, value in node.inputs.items()
    }
    own = {"name": node.name} if node.name in named and node.name == node.layer else {}
    return Step(
        keys=(node.name,),
        type=node.type,
        arguments=node.arguments,
        sources=sources,
        variable=node.name.replace(".", "_"),
        options={**node.options, **own},
        constants=node.call,
        parts=tuple(f"{node.name}#{index}" for index in range(len(node.parts))),
        layer=None if node.layer == node.name else node.layer,
        shared=node.name in shared,
        preprocess=node.preprocess,
    )


def steps_of_scope(
    scope: Scope, blocks: Mapping[str, BlockSpec], named: set[str]
) -> Iterator[Step]:
    """Yield the items of a scope, with their ``${…}``.

    Raises:
        UnwrittenError: An item cannot be written with functions and loops.
    """
    references = [scope.references(item) for item in scope.items]
    shared = {root.index for item in scope.items if (root := scope.root(item)) not in (None, item)}
    for index in scope.order(references):
        item, root = scope.items[index], scope.root(scope.items[index])
        if root is None:
            raise UnwrittenError("a name that is computed")
        yield _step_of_item(item, root, references[index], blocks, named, is_shared=index in shared)


def _step_of_item(
    item: Item,
    root: Item,
    references: Mapping[str | None, Reference | Sequence[Reference]],
    blocks: Mapping[str, BlockSpec],
    named: set[str],
    *,
    is_shared: bool,
) -> Step:
    spec, is_block = root.spec, root.spec.type in blocks
    repeats = "repeat" in item.spec.model_fields_set
    options = {
        key: value
        for key, value in (("trainable", spec.trainable), ("dtype", spec.dtype))
        if value is not None
    }
    if is_block and (options or is_shared or item is not root):
        raise UnwrittenError("a block that is shared or has options")
    if repeats and (item is not root or is_shared or item.parts or spec.adapt):
        raise UnwrittenError("a chain that is shared")
    if has_expression(spec.preprocess):
        raise UnwrittenError("a switch that is computed")
    if not references:
        raise UnwrittenError("a name that is computed")
    if item is root and not is_block and item.name in named and not spec.type.startswith("ops."):
        options["name"] = _layer_name(item, repeats=repeats)
    return Step(
        keys=(item.name, item.calls[-1]),
        type=spec.type,
        arguments=spec.arguments if isinstance(spec.arguments, Mapping) else {},
        sources={
            key: source.name
            if isinstance(source, Reference)
            else tuple(reference.name for reference in source)
            for key, source in references.items()
        },
        variable=None if item.spec.name is None or has_expression(item.spec.name) else item.name,
        options=options,
        constants=item.spec.call,
        parts=item.parts,
        repeat=item.spec.repeat if repeats else None,
        layer=None if item is root else root.name,
        shared=is_shared,
        preprocess=bool(spec.preprocess),
    )


def _layer_name(item: Item, *, repeats: bool) -> str:
    if not repeats:
        return item.name
    return str(item.spec.name) if has_expression(item.spec.name) else f"{item.name}_${{i}}"

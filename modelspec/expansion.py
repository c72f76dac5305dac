"""Spec → Graph: blocks and repeats expanded, names resolved, calls sorted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from modelspec.blocks import bind_inputs, check_parameters, find_recursion
from modelspec.diagnostics import Diagnostic, Route, has_errors
from modelspec.graph import Graph, Input, Node, Source, Sources
from modelspec.scope import MAX_CALLS, Item, Reference, References, Scope, Use, Value
from modelspec.spec import BlockSpec, Spec

MAX_BLOCK_DEPTH = 32


def expand(spec: Spec, name: str) -> tuple[Graph | None, list[Diagnostic]]:
    """The graph of a spec; ``name`` is the model's, where the spec has none.

    A graph that comes with errors is whole enough to check the arguments of its layers.
    """
    if rings := find_recursion(spec.blocks):
        return None, rings
    expander = _Expander(spec)
    inputs = {
        key: Input(key, given.shape, given.dtype, ("inputs", key))
        for key, given in spec.inputs.items()
    }
    given: dict[str, Value] = {key: Source(key, None, ("inputs", key)) for key in inputs}
    try:
        scope = Scope(("layers",), spec.layers, spec.params, given, expander.problems)
        outputs = expander.expand(scope, spec.outputs, ("outputs",))
    except _TooManyError as error:
        return None, [*expander.problems, error.problem]
    single = {key: value for key, value in outputs.items() if isinstance(value, Source)}
    graph = Graph(spec.name or name, inputs, tuple(expander.nodes), single, form_of(spec.outputs))
    problems = list(dict.fromkeys(expander.problems))
    return graph, problems if has_errors(problems) else [*problems, *_unused(graph)]


def form_of(outputs: Any) -> Literal["name", "list", "mapping"]:
    if isinstance(outputs, str):
        return "name"
    return "mapping" if isinstance(outputs, dict) else "list"


class _TooManyError(Exception):
    def __init__(self, route: Route, within: tuple[Route, ...]) -> None:
        message = f"the model has more than {MAX_CALLS:,} layers"
        place = within[0] if within else route
        self.problem = Diagnostic("too-many-layers", message, place, "key")
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of ``root``'s layer for ``item``: itself, or an item that shares it."""

    name: str
    owner: str
    i: int
    item: Item
    root: Item


def _calls(item: Item, root: Item) -> Iterator[_Call]:
    """The calls that an item chains. A shared chain is called anew, whole, at each of them."""
    for position, name in enumerate(item.calls):
        if item is root:
            yield _Call(name, name, position, item, root)
            continue
        last = len(root.calls) - 1
        for i, owner in enumerate(root.calls):
            yield _Call(name if i == last else f"{name}.{i}", owner, i, item, root)


@dataclass
class _Expander:
    spec: Spec
    nodes: list[Node] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)

    def expand(self, scope: Scope, outputs: Any, route: Route) -> dict[str, Value]:
        """Make the nodes of a scope; the values of its outputs by their public names."""
        values: dict[str, Value] = dict(scope.inputs)
        references = [scope.references(item) for item in scope.items]
        for index in scope.order(references):
            sources = self.resolve(references[index], scope, values)
            self.expand_item(scope.items[index], sources, scope, values)
        if isinstance(outputs, dict):
            named = {key: Reference(name, (*route, key)) for key, name in outputs.items()}
        elif isinstance(outputs, str):
            named = {outputs: Reference(outputs, route)}
        else:
            named = {name: Reference(name, (*route, k)) for k, name in enumerate(outputs)}
            self.check_repeated(outputs, route)
        return {key: self.look_up_single(name, scope, values) for key, name in named.items()}

    def check_repeated(self, outputs: Sequence[str], route: Route) -> None:
        for position, name in enumerate(outputs):
            if name in outputs[:position]:
                message = f"{name} is listed twice"
                self.problems.append(Diagnostic("duplicate-name", message, (*route, position)))

    def resolve(
        self, references: References, scope: Scope, values: Mapping[str, Value]
    ) -> Sources | None:
        """What each call argument is given; None where something is unknown or failed."""
        sources: dict[str | None, Source | tuple[Source, ...]] = {}
        for key, given in references.items():
            if isinstance(given, Reference):
                value = self.look_up(given, scope, values)
            else:
                found = [self.look_up_single(reference, scope, values) for reference in given]
                single = tuple(value for value in found if isinstance(value, Source))
                value = single if len(single) == len(found) else None
            if value is not None:
                sources[key] = value
        return sources if references and len(sources) == len(references) else None

    def look_up(self, reference: Reference, scope: Scope, values: Mapping[str, Value]) -> Value:
        if reference.name not in scope.owners and reference.name not in scope.inputs:
            self.problems.append(scope.unknown(reference))
            return None
        value = values.get(reference.name)
        return replace(value, route=reference.route) if isinstance(value, Source) else value

    def look_up_single(
        self, reference: Reference, scope: Scope, values: Mapping[str, Value]
    ) -> Value:
        value = self.look_up(reference, scope, values)
        if isinstance(value, tuple):
            message = f"{reference.name} stands for {len(value)} results"
            hint = "name them with as, and say which"
            self.problems.append(Diagnostic("several-results", message, reference.route, hint=hint))
            return None
        return value

    def expand_item(
        self, item: Item, sources: Sources | None, scope: Scope, values: dict[str, Value]
    ) -> None:
        """Make the calls of an item and enter what its names stand for into ``values``."""
        value: Value = None
        root = scope.root(item)
        if root is not None:
            for call in _calls(item, root):
                value = self.call(call, sources, scope)
                values[call.name] = value
                sources = None if value is None else {None: value}
        elif item.share not in scope.owners:
            route = (*item.route, "share")
            self.problems.append(scope.unknown(Reference(str(item.share), route)))
        values[item.name] = value
        for position, part in enumerate(item.parts):
            values[part] = self.part(item, value, position)

    def part(self, item: Item, value: Value, position: int) -> Value:
        if isinstance(value, Source):
            return replace(value, index=position)
        if value is None or position < len(value):
            return value and value[position]
        message = f"{item.name} has {len(value)} results"
        self.problems.append(Diagnostic("wrong-value", message, (*item.route, "as", position)))
        return None

    def call(self, call: _Call, sources: Sources | None, scope: Scope) -> Value:
        """Make one call: a node, or all the nodes of a block."""
        spec, use = call.root.spec, scope.use
        route = (*call.root.route, spec.type)
        arguments = scope.fill(spec.arguments, route, call.i)
        options = {
            **use.options,
            **({} if spec.trainable is None else {"trainable": spec.trainable}),
            **({} if spec.dtype is None else {"dtype": spec.dtype}),
        }
        inner = Use(use.prefix + call.name, use.owner + call.owner, options, use.within)
        block = self.spec.blocks.get(spec.type)
        if block is not None:
            return self.call_block(call, block, arguments, sources, inner)
        if len(self.nodes) >= MAX_CALLS:
            raise _TooManyError(call.item.route, use.within)
        constants = scope.fill(call.item.spec.call, (*call.item.route, "call"), call.i)
        self.nodes.append(
            Node(
                name=inner.prefix,
                layer=inner.owner,
                type=spec.type,
                arguments=arguments,
                options=options,
                inputs=sources or {},
                call=constants,
                route=call.item.route,
                parts=call.item.parts,
                within=use.within,
            )
        )
        return Source(inner.prefix, None, call.item.route) if sources else None

    def call_block(
        self,
        call: _Call,
        block: BlockSpec,
        arguments: Any,
        sources: Sources | None,
        inner: Use,
    ) -> Value:
        name = call.root.spec.type
        place = (*call.root.route, name)
        within = (*inner.within, call.item.route)
        if len(within) > MAX_BLOCK_DEPTH:
            message = f"blocks are nested more than {MAX_BLOCK_DEPTH} deep"
            self.problems.append(Diagnostic("too-deep", message, within[0], "key"))
            return None
        self.problems.extend(check_parameters(name, block, arguments, place))
        inputs, problems = bind_inputs(name, block, sources, (*call.item.route, "from"))
        self.problems.extend(problems)
        given = arguments if isinstance(arguments, dict) else {}
        parameters = {**self.spec.params, **block.params, **given}
        use = Use(f"{inner.prefix}.", f"{inner.owner}.", inner.options, within)
        route = ("blocks", name)
        scope = Scope((*route, "layers"), block.layers, parameters, inputs, self.problems, use)
        outputs = tuple(self.expand(scope, block.outputs, (*route, "outputs")).values())
        if sources is None or None in outputs:
            return None
        single = tuple(value for value in outputs if isinstance(value, Source))
        return single[0] if len(single) == 1 else single


def _unused(graph: Graph) -> list[Diagnostic]:
    """Warn of inputs and layers on which no output depends, in any use of their block."""
    used = graph.used()
    used_routes = {node.route for node in graph.nodes if node.name in used}
    unused: dict[Route, Diagnostic] = {}
    for node in graph.nodes:
        if node.route not in used_routes:
            message = f"no output depends on {node.name}"
            unused[node.route] = Diagnostic("unused-layer", message, node.route, "key", "warning")
    for name, given in graph.inputs.items():
        if name not in used:
            message = f"no output depends on input {name}"
            unused[given.route] = Diagnostic("unused-input", message, given.route, "key", "warning")
    return list(unused.values())

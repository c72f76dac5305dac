"""Spec → Graph: blocks and repeats expanded, names resolved, calls sorted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from modelspec.graph.blocks import bind_inputs, bind_parameters, check_nesting, check_parameters
from modelspec.graph.budget import Budget, TooMuchError
from modelspec.graph.freezing import Freezing
from modelspec.graph.graph import Graph, Input, Node, Source, Sources
from modelspec.graph.items import MAX_CALLS, Item, Use, Value
from modelspec.graph.lookup import check_repeated, look_up_single, resolve
from modelspec.graph.options import (
    flag_of,
    not_for_operations,
    options_of,
    other_options,
    refuse_adapt,
)
from modelspec.graph.references import Reference
from modelspec.graph.scope import Scope
from modelspec.graph.unused import warn_unused
from modelspec.language.spec import BlockSpec, Spec
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Route, has_errors

_NONE: Mapping[str, Any] = {}


def expand(spec: Spec, name: str) -> tuple[Graph | None, list[Diagnostic]]:
    """Return the graph of a spec; ``name`` is the model's name where the spec has none.

    A graph that is returned with errors is complete enough to check the arguments of its layers.
    """
    if nested := check_nesting(spec.blocks):
        return None, nested
    expander = _Expander(spec)
    inputs = {
        key: Input(key, declared.shape, declared.dtype, ("inputs", key))
        for key, declared in spec.inputs.items()
    }
    values: dict[str, Value] = {key: Source(key, None, ("inputs", key)) for key in inputs}
    try:
        scope = Scope(("layers",), spec.layers, spec.params, values, expander.budget)
        outputs = expander.expand(scope, spec.outputs, ("outputs",))
    except TooMuchError as error:
        return None, [*dict.fromkeys(expander.problems), error.problem]
    expander.problems.extend(expander.freezing.unmatched())
    single = {key: value for key, value in outputs.items() if isinstance(value, Source)}
    graph = Graph(spec.name or name, inputs, tuple(expander.nodes), single, form_of(spec.outputs))
    problems = list(dict.fromkeys(expander.problems))
    return graph, problems if has_errors(problems) else [*problems, *warn_unused(graph)]


def form_of(outputs: Any) -> Literal["name", "list", "mapping"]:
    if isinstance(outputs, str):
        return "name"
    return "mapping" if isinstance(outputs, dict) else "list"


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of ``root``'s layer for ``item``, which is ``root`` or shares its layer."""

    name: str
    owner: str
    i: int
    item: Item
    root: Item


def _calls(item: Item, root: Item) -> Iterator[_Call]:
    """Yield the chained calls of an item; a shared chain is called again as a whole."""
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
    budget: Budget = field(default_factory=Budget)
    uses: int = 0
    freezing: Freezing = field(default_factory=Freezing)
    file_models: dict[str, Node] = field(default_factory=dict)

    @property
    def problems(self) -> list[Diagnostic]:
        return self.budget.problems

    def expand(self, scope: Scope, outputs: Any, route: Route) -> dict[str, Value]:
        """Create the nodes of a scope; return the values of its outputs by their public names."""
        values: dict[str, Value] = dict(scope.inputs)
        references = [scope.references(item) for item in scope.items]
        for index in scope.order(references):
            sources = resolve(references[index], scope, values)
            self.expand_item(scope.items[index], sources, scope, values)
        if isinstance(outputs, dict):
            named = {key: Reference(name, (*route, key)) for key, name in outputs.items()}
        elif isinstance(outputs, str):
            named = {outputs: Reference(outputs, route)}
        else:
            named = {name: Reference(name, (*route, k)) for k, name in enumerate(outputs)}
            check_repeated(outputs, route, scope)
        return {key: look_up_single(name, scope, values) for key, name in named.items()}

    def expand_item(
        self, item: Item, sources: Sources | None, scope: Scope, values: dict[str, Value]
    ) -> None:
        """Create the calls of an item and enter the values of its names into ``values``."""
        value: Value = None
        root = scope.root(item)
        if item.share is not None:
            refuse_adapt(item, "share", self.problems)
        if root is not None and (problem := not_for_operations(item, root)):
            self.problems.append(problem)
            if item is not root:
                root = None
        if root is not None:
            for call in _calls(item, root):
                value = self.call(call, sources, scope)
                values[call.name] = value
                sources = None if value is None else {None: value}
        elif item.share is not None and item.share not in scope.owners:
            scope.unknown(Reference(item.share, (*item.route, "share")))
        values[item.name] = value
        of_block = root is not None and root.spec.type in self.spec.blocks
        if item.parts:
            values.update(zip(item.parts, self.parts(item, value, of_block=of_block), strict=True))

    def parts(self, item: Item, value: Value, *, of_block: bool) -> Iterator[Value]:
        """Yield the values of the names of ``as``; Keras checks the number of a layer's results."""
        results = (value,) if of_block and isinstance(value, Source) else value
        if isinstance(results, Source):
            yield from (replace(results, index=position) for position in range(len(item.parts)))
            return
        known = results or ()
        if results is not None and len(known) != len(item.parts):
            message = (
                f"{item.name} returns {len(known)} results, but as has {len(item.parts)} names"
            )
            self.problems.append(Diagnostic("wrong-results", message, (*item.route, "as")))
        yield from (known[k] if k < len(known) else None for k in range(len(item.parts)))

    def call(self, call: _Call, sources: Sources | None, scope: Scope) -> Value:
        """Create one call: a node, or all the nodes of a block."""
        spec, use = call.root.spec, scope.use
        route = (*call.root.route, spec.type)
        i = scope.position(call.root.index, call.i)
        arguments = scope.fill(spec.arguments, route, i)
        block, owner = self.spec.blocks.get(spec.type), use.owner + call.owner
        own = options_of(call.root, i, scope, owner, is_block=block is not None)
        options = {**use.options, **own}
        inner = Use(use.prefix + call.name, owner, options, use.within)
        if block is not None:
            return self.call_block(call, block, arguments, sources, inner)
        if "trainable" in options:
            decided = self.freezing.decide(options["trainable"], inner.owner)
            options = {**options, "trainable": decided}
        if len(self.nodes) >= MAX_CALLS:
            message = f"the model has more than {MAX_CALLS:,} layers"
            raise TooMuchError("too-many-layers", message, call.item.route, use.within)
        constants = scope.fill(call.item.spec.call, (*call.item.route, "call"), i)
        self.add(
            Node(
                name=inner.prefix,
                layer=inner.owner,
                type=spec.type,
                arguments=arguments if isinstance(arguments, dict) else _NONE,
                instead=None if isinstance(arguments, dict) else arguments,
                options=options,
                inputs=sources or {},
                call={} if constants is UNKNOWN else constants,
                route=call.item.route,
                parts=call.item.parts,
                within=use.within,
                adapt=flag_of(call.root, "adapt", i, scope),
                preprocess=flag_of(call.root, "preprocess", i, scope),
            )
        )
        return Source(inner.prefix, None, call.item.route) if sources else None

    def add(self, node: Node) -> None:
        """Add a node; a model from a file is one layer, even if several items use it."""
        if node.type in self.spec.models:
            first = self.file_models.setdefault(node.type, node)
            if first is not node:
                self.problems.extend(other_options(first, node))
                node = replace(node, layer=first.layer, options=first.options)
        self.nodes.append(node)

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
        refuse_adapt(call.root, "a block", self.problems)
        within = (*inner.within, call.item.route)
        self.uses += 1
        if self.uses > MAX_CALLS:
            message = f"blocks are used more than {MAX_CALLS:,} times"
            raise TooMuchError("too-many-layers", message, call.item.route, inner.within)
        self.problems.extend(check_parameters(name, block, arguments, place))
        inputs, problems = bind_inputs(name, block, sources, (*call.item.route, "from"))
        self.problems.extend(problems)
        parameters = bind_parameters(
            name, block, arguments, self.spec.params, budget=self.budget, within=within
        )
        use = Use(f"{inner.prefix}.", f"{inner.owner}.", inner.options, within)
        route = ("blocks", name)
        scope = Scope((*route, "layers"), block.layers, parameters, inputs, self.budget, use)
        outputs = tuple(self.expand(scope, block.outputs, (*route, "outputs")).values())
        if sources is None or None in outputs:
            return None
        single = tuple(value for value in outputs if isinstance(value, Source))
        return single[0] if len(single) == 1 else single

"""Spec → Graph: blocks and repeats expanded, names resolved, calls sorted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from modelspec.catalog.entries import item_family
from modelspec.graph.blocks import bind_inputs, bind_parameters, check_nesting, check_parameters
from modelspec.graph.budget import Budget, TooMuchError
from modelspec.graph.freezing import Freezing, TrainedInside, are_patterns
from modelspec.graph.graph import Graph, Input, Node, Source, Sources
from modelspec.graph.references import Reference, References
from modelspec.graph.scope import MAX_CALLS, Item, Scope, Use, Value
from modelspec.language.forms import Dtype, Precision
from modelspec.language.spec import BlockSpec, Spec
from modelspec.problems.diagnostic import (
    UNKNOWN,
    Diagnostic,
    Related,
    Route,
    did_you_mean,
    has_errors,
)

_NONE: Mapping[str, Any] = {}
_DTYPES = {*get_args(Dtype), *get_args(Precision)}


def expand(spec: Spec, name: str) -> tuple[Graph | None, list[Diagnostic]]:
    """The graph of a spec; ``name`` is the model's, where the spec has none.

    A graph that comes with errors is whole enough to check the arguments of its layers.
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
    return graph, problems if has_errors(problems) else [*problems, *_unused(graph)]


def form_of(outputs: Any) -> Literal["name", "list", "mapping"]:
    if isinstance(outputs, str):
        return "name"
    return "mapping" if isinstance(outputs, dict) else "list"


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
    budget: Budget = field(default_factory=Budget)
    uses: int = 0
    freezing: Freezing = field(default_factory=Freezing)
    file_models: dict[str, Node] = field(default_factory=dict)

    @property
    def problems(self) -> list[Diagnostic]:
        return self.budget.problems

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
        for key, wanted in references.items():
            if isinstance(wanted, Reference):
                value = self.look_up(wanted, scope, values)
            else:
                looked_up = [self.look_up_single(reference, scope, values) for reference in wanted]
                single = tuple(value for value in looked_up if isinstance(value, Source))
                value = single if len(single) == len(looked_up) else None
            if value is not None:
                sources[key] = value
        return sources if references and len(sources) == len(references) else None

    def look_up(self, reference: Reference, scope: Scope, values: Mapping[str, Value]) -> Value:
        if reference.name not in scope.owners and reference.name not in scope.inputs:
            scope.unknown(reference)
            return None
        value = values.get(reference.name)
        return replace(value, route=reference.route) if isinstance(value, Source) else value

    def look_up_single(
        self, reference: Reference, scope: Scope, values: Mapping[str, Value]
    ) -> Value:
        value = self.look_up(reference, scope, values)
        if isinstance(value, tuple):
            message = f"{reference.name} refers to {len(value)} results"
            hint = "name them with as, and use one of these names"
            self.problems.append(Diagnostic("several-results", message, reference.route, hint=hint))
            return None
        return value

    def expand_item(
        self, item: Item, sources: Sources | None, scope: Scope, values: dict[str, Value]
    ) -> None:
        """Make the calls of an item and enter what its names stand for into ``values``."""
        value: Value = None
        root = scope.root(item)
        if item.share is not None:
            self.refuse_adapt(item, "share")
        if root is not None and (problem := _not_for_operations(item, root)):
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
        """What the names of ``as`` stand for. How many results a layer has is Keras's to say."""
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
        """Make one call: a node, or all the nodes of a block."""
        spec, use = call.root.spec, scope.use
        route = (*call.root.route, spec.type)
        i = scope.position(call.root.index, call.i)
        arguments = scope.fill(spec.arguments, route, i)
        options = {**use.options, **self.options(call.root, i, scope, use.owner + call.owner)}
        inner = Use(use.prefix + call.name, use.owner + call.owner, options, use.within)
        block = self.spec.blocks.get(spec.type)
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
                adapt=self.flag(call.root, "adapt", i, scope),
                preprocess=self.flag(call.root, "preprocess", i, scope),
            )
        )
        return Source(inner.prefix, None, call.item.route) if sources else None

    def add(self, node: Node) -> None:
        """Add a node. A model from a file is one layer, however often the spec names it."""
        if node.type in self.spec.models:
            first = self.file_models.setdefault(node.type, node)
            if first is not node:
                self.problems.extend(_other_options(first, node))
                node = replace(node, layer=first.layer, options=first.options)
        self.nodes.append(node)

    def options(self, item: Item, i: int | None, scope: Scope, owner: str) -> dict[str, Any]:
        """The ``trainable`` and ``dtype`` that an item has beside its layer, named ``owner``."""
        options = {}
        for key, written in (("trainable", item.spec.trainable), ("dtype", item.spec.dtype)):
            route = (*item.route, key)
            value = scope.fill(written, route, i)
            if value is None or value is UNKNOWN:
                continue
            if key == "trainable" and are_patterns(value):
                inside = TrainedInside(f"{owner}.", tuple(value), route)
                options[key] = inside if item.spec.type in self.spec.blocks else tuple(value)
            elif problem := _wrong_option(key, value, route):
                self.problems.append(problem)
            else:
                options[key] = value
        return options

    def flag(self, item: Item, key: str, i: int | None, scope: Scope) -> bool:
        """Whether an item has a flag beside its layer, such as ``adapt``."""
        route = (*item.route, key)
        value = scope.fill(getattr(item.spec, key), route, i)
        if isinstance(value, bool) or value is None or value is UNKNOWN:
            return value is True
        message = f"{key} is true or false, not {value!r}"
        self.problems.append(Diagnostic("wrong-type", message, route))
        return False

    def refuse_adapt(self, item: Item, what: str) -> None:
        """Only a layer can be fitted: not a block, and not another call of a layer."""
        if item.spec.adapt not in (None, False):
            message = f"adapt belongs beside a layer, not beside {what}"
            hint = "write it beside the layer that is fitted to data"
            self.problems.append(
                Diagnostic("cannot-adapt", message, (*item.route, "adapt"), "key", hint=hint)
            )

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
        self.refuse_adapt(call.root, "a block")
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


def _not_for_operations(item: Item, root: Item) -> Diagnostic | None:
    """A key beside an operation, or an item that shares it, which only layers can have."""
    if item_family(root.spec.type) == "layer":
        return None
    if item is not root:
        message = f"{root.name} is an operation ({root.spec.type}), which has no weights to share"
        hint = f"write {root.spec.type} again"
        route = (*item.route, "share")
        return Diagnostic("not-for-operations", message, route, hint=hint)
    for key, value, hint in (
        ("trainable", item.spec.trainable, "an operation has no weights"),
        ("dtype", item.spec.dtype, "ops.cast changes the type of a tensor"),
        ("adapt", item.spec.adapt, "an operation has nothing that is fitted to data"),
        ("preprocess", item.spec.preprocess, "it belongs to a model of keras.applications"),
    ):
        if value is not None:
            message = f"an operation has no {key}"
            return Diagnostic("not-for-operations", message, (*item.route, key), "key", hint=hint)
    return None


def _other_options(first: Node, node: Node) -> Iterator[Diagnostic]:
    """A later call of a model from a file that wants the model otherwise than the first."""
    for key in node.options:
        if node.layer == node.name and node.options[key] != first.options.get(key):
            message = f"{node.type} is one model, and its first use has another {key}"
            related = (Related(f"{first.name} is its first use", first.route),)
            hint = f"write {key} there, or name the file under models a second time"
            route = (*node.route, key)
            yield Diagnostic("wrong-value", message, route, "key", hint=hint, related=related)


def _wrong_option(key: str, value: Any, route: Route) -> Diagnostic | None:
    if key == "trainable" and not isinstance(value, bool):
        message = f"trainable is true, false or a list of patterns, not {value!r}"
        return Diagnostic("wrong-type", message, route)
    # Keras has more policies than types: those of quantized layers are named int8_from_float32.
    if key == "dtype" and value not in _DTYPES and "_from_" not in str(value):
        message = f"Keras has no dtype {value}"
        return Diagnostic("wrong-value", message, route, hint=did_you_mean(str(value), _DTYPES))
    return None


def _unused(graph: Graph) -> list[Diagnostic]:
    """Warn of inputs and layers on which no output depends, in any use of their block."""
    used = graph.used()
    used_routes = {
        route for node in graph.nodes if node.name in used for route in (*node.within, node.route)
    }
    unused: dict[Route, Diagnostic] = {}
    for node in graph.nodes:
        routes = (*node.within, node.route)
        level, route = next(
            ((level, route) for level, route in enumerate(routes) if route not in used_routes),
            (0, None),
        )
        if route is not None and route not in unused:
            name = ".".join(node.name.split(".")[: level + 1])
            message = f"no output depends on {name}"
            unused[route] = Diagnostic("unused-layer", message, route, "key", "warning")
    for name, declared in graph.inputs.items():
        if name not in used:
            message = f"no output depends on input {name}"
            unused[declared.route] = Diagnostic(
                "unused-input", message, declared.route, "key", "warning"
            )
    return list(unused.values())

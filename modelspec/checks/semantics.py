"""Checks of a whole spec against Keras, without shapes or data."""

from collections.abc import Iterable, Sequence

from modelspec.catalog import Catalog, Entry
from modelspec.catalog.entries import item_family
from modelspec.catalog.file_models import FileModel
from modelspec.catalog.losses import is_regression
from modelspec.checks.arguments import check_object
from modelspec.checks.callbacks import check_callbacks
from modelspec.checks.integers import check_integers
from modelspec.checks.layer_state import STARTED, check_adapt, check_state
from modelspec.checks.looked_up import check_looked_up
from modelspec.checks.losses import check_losses
from modelspec.checks.monitors import check_monitors
from modelspec.checks.operations import check_operation
from modelspec.checks.packages import check_packages
from modelspec.checks.precision import check_precision
from modelspec.checks.ranges import check_ranges
from modelspec.checks.result_domains import check_result_domains
from modelspec.checks.schedules import check_schedules
from modelspec.checks.strategies import check_strategy
from modelspec.checks.texts import check_compiled_texts, check_texts
from modelspec.data.claims import named
from modelspec.graph.graph import Graph, Node
from modelspec.graph.heads import Head, check_names
from modelspec.graph.operations import is_operation
from modelspec.language.columns import ColumnSource
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic, Route, did_you_mean, is_echo


def check_semantics(
    spec: Spec, graph: Graph, heads: Sequence[Head], catalog: Catalog
) -> list[Diagnostic]:
    """Check layers, their arguments and calls, losses, metrics, optimizer and callbacks."""
    problems = _check_nodes(graph.nodes, spec, catalog)
    outputs = _output_names(spec)
    problems += check_names(spec, outputs)
    problems += _check_classes(spec, heads)
    problems += _check_leaks(spec, heads)
    problems += check_object(catalog, "optimizer", spec.optimizer, ("optimizer",))
    for head in heads:
        if head.loss is not None:
            problems += check_object(catalog, "loss", head.loss, head.route)
        for metric in head.metrics:
            problems += check_object(catalog, "metric", metric.value, metric.route)
    for position, callback in enumerate(spec.training.callbacks):
        route = ("training", "callbacks", position)
        problems += check_object(catalog, "callback", callback, route)
    problems += check_packages(spec.training.callbacks)
    problems += check_callbacks(spec, catalog)
    problems += check_schedules(spec)
    problems += check_texts(graph, catalog)
    problems += check_compiled_texts(spec)
    problems += check_integers(graph, catalog)
    problems += check_looked_up(graph)
    problems += check_result_domains(graph)
    problems += check_ranges(spec, graph, heads)
    problems += check_precision(spec, graph, heads)
    problems += check_losses(spec, graph, heads, catalog)
    problems += check_strategy(spec, graph, heads)
    problems += check_monitors(spec, graph, heads, catalog)
    parts = {
        "losses": spec.losses,
        "metrics": spec.metrics,
        "weighted_metrics": spec.weighted_metrics,
        "optimizer": spec.optimizer,
        "training": {"callbacks": spec.training.callbacks},
    }
    return [problem for problem in dict.fromkeys(problems) if not is_echo(problem, parts)]


def _check_classes(spec: Spec, heads: Sequence[Head]) -> Iterable[Diagnostic]:
    """Check the names of classes in ``data``: of outputs, two or more, without repetition."""
    quantities = {head.output for head in heads if is_regression(head.loss)}
    for name, source in spec.data.items():
        if not isinstance(source, ColumnSource):
            continue
        yield from _check_column(name, source)
        if name in quantities and source.has_classes:
            message = f"the loss of {name} takes numbers, but the column has class names"
            hint = "dtype: float32 reads numbers"
            yield Diagnostic("wrong-value", message, ("data", name), hint=hint)
        plain = source.dtype is None and not source.missing and isinstance(source.column, str)
        if name in spec.inputs and (source.classes is not None or plain):
            message = f"{name} is an input, and class names are for outputs"
            hint = "a layer StringLookup turns text into ids: declare the input with dtype: string"
            yield Diagnostic("wrong-value", message, ("data", name), hint=hint)
        names = [str(class_name) for class_name in source.classes or ()]
        route = ("data", name, "classes")
        if source.classes is not None and len(names) < 2:  # noqa: PLR2004 - one class distinguishes nothing
            yield Diagnostic("wrong-value", "an output has two classes or more", route)
        for position, class_name in enumerate(names):
            if class_name in names[:position]:
                message = f"{class_name} is listed twice"
                yield Diagnostic("duplicate-name", message, (*route, position))


def _check_leaks(spec: Spec, heads: Sequence[Head]) -> Iterable[Diagnostic]:
    """Warn of an input with a column that is a target: the model would only copy it."""
    targets = {
        named(spec.data[head.output]) if head.output in spec.data else head.output
        for head in heads
        if head.loss is not None
    }
    for name, source in spec.data.items():
        columns = named(source) if name in spec.inputs else ()
        inside = ("column",) if isinstance(source, ColumnSource) else ()
        for position, column in enumerate(columns if isinstance(columns, tuple) else ()):
            if column in targets:
                message = f"{column} is a target and also a part of input {name}, which can copy it"
                route = ("data", name, *inside, position)
                yield Diagnostic("wrong-value", message, route, severity="warning")


def _check_column(name: str, source: ColumnSource) -> Iterable[Diagnostic]:
    """Report keys beside ``column`` that contradict each other."""
    if source.classes is not None and not isinstance(source.column, str):
        message = "class names must be in one column"
        yield Diagnostic("wrong-value", message, ("data", name, "classes"))
    elif source.classes is not None and source.dtype not in (None, "string"):
        message = f"class names are text, but dtype: {source.dtype} turns the cells into numbers"
        yield Diagnostic("wrong-value", message, ("data", name, "dtype"), hint="leave dtype out")


def _output_names(spec: Spec) -> list[str]:
    return [spec.outputs] if isinstance(spec.outputs, str) else list(spec.outputs)


def _check_nodes(nodes: Sequence[Node], spec: Spec, catalog: Catalog) -> list[Diagnostic]:
    """Check all nodes; repeats of a layer with the same arguments are checked once."""
    seen: set[tuple[Route, bool, int, int, int]] = set()
    problems: list[Diagnostic] = []
    for node in nodes:
        parts = (id(node.arguments), id(node.instead), id(node.call))
        key = (node.route, node.layer == node.name, *parts)
        if key not in seen:
            seen.add(key)
            problems += _check_node(node, spec, catalog)
    return problems


def _check_node(node: Node, spec: Spec, catalog: Catalog) -> Iterable[Diagnostic]:
    family = item_family(node.type)
    entry = catalog.find(family, node.type)
    if entry is None and node.type in spec.models:
        return  # the file could not be read, which is reported there
    if entry is not None and entry.refused is None:
        yield from _check_calls(node, entry.call_arguments)
        if family == "operation":
            yield from check_operation(node, entry)
    yield from _check_constants(node)
    if entry is not None:
        yield from _check_model(node, entry)
    if node.layer != node.name:
        return
    layer = {node.type: node.arguments if node.instead is None else node.instead}
    if node.adapt:
        yield from check_adapt(catalog, node)
    elif node.instead is None and not (spec.weights.from_ and node.type in STARTED):
        yield from check_state(node.type, node.arguments, (*node.route, node.type))
    for problem in check_object(catalog, family, layer, node.route):
        if not is_echo(problem, layer, above=len(node.route)):
            yield _with_blocks(problem, node, spec)


def _check_model(node: Node, entry: Entry) -> Iterable[Diagnostic]:
    """Check the keys that only a model can have, and the inputs of a model from a file."""
    if entry.module is None:
        yield from _not_for_layers(node, entry)
    if entry.model is not None:
        yield from _check_file_model(node, entry.model)


def _check_file_model(node: Node, model: FileModel) -> Iterable[Diagnostic]:
    if node.inputs and "dtype" in node.options:
        message = "a model from a file keeps the dtypes that it was saved with"
        yield Diagnostic("wrong-value", message, (*node.route, "dtype"), "key")
    first = node.inputs.get(None)
    count = len(first) if isinstance(first, tuple) else 1
    named = {name for name in node.inputs if name is not None}
    missing = named < set(model.inputs) if named else False
    if node.inputs and (missing or (not named and count != len(model.inputs))):
        message = f"{node.type} is called on its inputs: {', '.join(model.inputs)}"
        yield Diagnostic("block-inputs", message, (*node.route, "from"))


def _not_for_layers(node: Node, entry: Entry) -> Iterable[Diagnostic]:
    """Report keys beside a layer that only models have, or only ``keras.applications``."""
    if isinstance(node.options.get("trainable"), tuple) and not entry.is_model:
        message = "only a block or a model takes patterns; a layer is trained as a whole"
        route = (*node.route, "trainable")
        yield Diagnostic("wrong-type", message, route, hint="write true or false")
    if node.preprocess:
        message = "preprocess is only for models of keras.applications"
        yield Diagnostic("unknown-key", message, (*node.route, "preprocess"), "key")


def _with_blocks(problem: Diagnostic, node: Node, spec: Spec) -> Diagnostic:
    """Add a hint to an unknown layer that may be a block with a misspelt name."""
    near = did_you_mean(node.type, spec.blocks) if problem.code == "unknown-layer" else None
    if near is None or problem.route[:-1] != node.route:
        return problem
    return Diagnostic(problem.code, problem.message, problem.route, problem.anchor, hint=near)


def _check_constants(node: Node) -> Iterable[Diagnostic]:
    """Refuse mappings: Keras saves constants with the model and imports names in mappings."""
    for name, value in node.call.items():
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, list | dict) for item in items):
            message = f"{name} is a number, a string, true or false, or a list of them"
            yield Diagnostic("wrong-type", message, (*node.route, "call", name))


def _check_calls(node: Node, known: Sequence[str]) -> Iterable[Diagnostic]:
    """Report call arguments, in ``from`` and in ``call``, that the layer does not take."""
    if not known:
        return
    of_operation = is_operation(node)
    what = "tensor" if of_operation else "call argument"
    for part, names in (("from", node.inputs), ("call", {} if of_operation else node.call)):
        for name in names:
            if name is not None and name not in known:
                yield Diagnostic(
                    "unknown-argument",
                    f"{node.type} has no {what} {name}",
                    (*node.route, part, name),
                    "key",
                    hint=did_you_mean(name, known) or f"it takes {', '.join(known)}",
                )

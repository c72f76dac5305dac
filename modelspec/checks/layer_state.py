"""Layers that need more than a spec gives them: values fitted to data, a fixed batch size."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelspec.catalog import Catalog
from modelspec.graph.graph import Node
from modelspec.problems.diagnostic import Diagnostic, Route

_VALUES = {
    "Normalization": ("mean", "variance"),
    "TextVectorization": ("vocabulary",),
    "StringLookup": ("vocabulary",),
    "IntegerLookup": ("vocabulary",),
    "Discretization": ("bin_boundaries",),
}
"""The layers of Keras with ``adapt``, and the arguments that set what it would compute."""

_HINTS = {
    "Normalization": "mean: [...], variance: [...]",
    "Discretization": "bin_boundaries: [...], the values between the bins",
}
_ENCODED = frozenset({"one_hot", "multi_hot", "count", "tf_idf"})
"""Output modes in which a lookup returns a value for each entry of its vocabulary."""

STARTED = frozenset({"Normalization"})
"""Layers whose fitted values are weights, which `weights.from` can load."""

_RECURRENT = {"RNN", "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}


def check_state(name: str, arguments: Any, route: Route) -> Iterator[Diagnostic]:
    """Check a layer and the layers among its arguments; ``route`` is that of the layer's name."""
    yield from _check_state(name, arguments, route, nested=False)


def check_adapt(catalog: Catalog, node: Node) -> Iterator[Diagnostic]:
    """Check that a layer with ``adapt`` can be fitted, and that its shape is known before."""
    entry = catalog.find("layer", node.type)
    if entry is None or entry.refused:
        return
    if not entry.adapts:
        message = f"{node.type} is not fitted to data: it has no method adapt"
        names = (catalog.find("layer", name) for name in catalog.names("layer"))
        fitted = ", ".join(layer.name for layer in names if layer and layer.adapts)
        hint = f"these are: {fitted}"
        yield Diagnostic("cannot-adapt", message, (*node.route, "adapt"), "key", hint=hint)
        return
    for argument in _VALUES.get(node.type, ()):
        if node.arguments.get(argument) is not None:
            message = f"adapt would replace the {argument} of {node.type}"
            route = (*node.route, node.type, argument)
            hint = f"remove {argument}, or adapt"
            yield Diagnostic("cannot-adapt", message, route, "key", hint=hint)
            break
    if "vocabulary" in entry.arguments:
        yield from _check_width(node)
    if node.arguments.get("num_oov_indices") == 0:
        message = "entries that no training row contains have no id, and stop the evaluation"
        route = (*node.route, node.type, "num_oov_indices")
        hint = "num_oov_indices: 1 gives them their own id"
        yield Diagnostic("wrong-value", message, route, severity="warning", hint=hint)


def _check_width(node: Node) -> Iterator[Diagnostic]:
    """Require a known width, because a model's shapes follow from its spec, not from its data."""
    mode = node.arguments.get("output_mode")
    size = node.arguments.get("max_tokens")
    if mode not in _ENCODED or (size is not None and node.arguments.get("pad_to_max_tokens")):
        return
    message = (
        f"the number of values that {node.type} gives (output_mode {mode}) would depend on the data"
    )
    count = "max_tokens: N, with one entry for unknown ones, and " if size is None else ""
    hint = f"write {count}pad_to_max_tokens: true"
    route = (*node.route, node.type, "output_mode")
    yield Diagnostic("cannot-adapt", message, route, hint=hint)


def _check_state(name: str, arguments: Any, route: Route, *, nested: bool) -> Iterator[Diagnostic]:
    by_name = arguments if isinstance(arguments, Mapping) else {}
    if arguments is not None and not isinstance(arguments, Mapping):
        return
    missing = [argument for argument in _VALUES.get(name, ()) if by_name.get(argument) is None]
    if missing and "adapt" not in by_name:
        message = (
            f"{name} has no {' and '.join(missing)}: without values fitted to data it does nothing "
            "useful"
        )
        values = f"write {_HINTS.get(name, 'vocabulary: [...], the entries in order')}"
        fits = f"adapt: true beside {name} fits it to the training rows"
        hint = values if nested else f"{fits}; or {values}"
        yield Diagnostic("missing-values", message, route, "key", hint=hint)
    if name in _RECURRENT and by_name.get("stateful") is True:
        message = f"stateful of {name} needs a fixed batch size, which a spec cannot set"
        hint = "give whole sequences, or pass states on with initial_state and return_state"
        yield Diagnostic("wrong-value", message, (*route, "stateful"), hint=hint)
    if name in _RECURRENT and by_name.get("use_cudnn") is True:
        message = f"with use_cudnn: true, {name} fails on every machine without a GPU"
        hint = "use_cudnn: auto uses cuDNN where it can"
        place = (*route, "use_cudnn")
        yield Diagnostic("wrong-value", message, place, severity="warning", hint=hint)
    for argument, value in by_name.items():
        yield from _inside(value, (*route, argument))


def _inside(value: Any, route: Route) -> Iterator[Diagnostic]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _inside(item, (*route, index))
    elif isinstance(value, str) and value in _VALUES:
        yield from _check_state(value, None, route, nested=True)
    elif isinstance(value, Mapping) and len(value) == 1:
        [(name, arguments)] = value.items()
        if isinstance(name, str):
            yield from _check_state(name, arguments, (*route, name), nested=True)

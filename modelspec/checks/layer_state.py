"""Layers that need what a spec does not give them: values fitted to data, a fixed batch size."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelspec.problems.diagnostic import Diagnostic, Route

_VALUES = {
    "Normalization": ("mean", "variance"),
    "TextVectorization": ("vocabulary",),
    "StringLookup": ("vocabulary",),
    "IntegerLookup": ("vocabulary",),
    "Discretization": ("bin_boundaries",),
}
"""The layers with ``adapt``, and the arguments that give what it would compute."""

_HINTS = {
    "Normalization": "mean: [...], variance: [...], computed from the training data with NumPy",
    "Discretization": "bin_boundaries: [...], the values between the bins",
}
_RECURRENT = {"RNN", "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}


def check_state(name: str, arguments: Any, route: Route) -> Iterator[Diagnostic]:
    """A layer, and the layers among its arguments; the route is that of the layer's name."""
    given = arguments if isinstance(arguments, Mapping) else {}
    if arguments is not None and not isinstance(arguments, Mapping):
        return
    missing = [argument for argument in _VALUES.get(name, ()) if given.get(argument) is None]
    if missing:
        message = (
            f"{name} has no {' and '.join(missing)}: without values fitted to data it does nothing "
            "useful"
        )
        hint = f"write {_HINTS.get(name, 'vocabulary: [...], the entries in order')}"
        yield Diagnostic("missing-values", message, route, "key", hint=hint)
    if name in _RECURRENT and given.get("stateful") is True:
        message = f"stateful of {name} needs a fixed batch size, which no key of a spec sets"
        hint = "give whole sequences, or pass states on with initial_state and return_state"
        yield Diagnostic("wrong-value", message, (*route, "stateful"), hint=hint)
    for argument, value in given.items():
        yield from _inside(value, (*route, argument))


def _inside(value: Any, route: Route) -> Iterator[Diagnostic]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _inside(item, (*route, index))
    elif isinstance(value, str) and value in _VALUES:
        yield from check_state(value, None, route)
    elif isinstance(value, Mapping) and len(value) == 1:
        [(name, arguments)] = value.items()
        if isinstance(name, str):
            yield from check_state(name, arguments, (*route, name))

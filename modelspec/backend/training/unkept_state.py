"""State of plugins' objects that no checkpoint contains, reported before the first step.

Keras's own objects are saved completely: a search finds their variables, and their callbacks have
only numbers and weights. A plugin may have other state, which a resumed run would start anew.
"""

import dis
import inspect
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import tensorflow as tf

from modelspec.backend.keras_private import all_layers
from modelspec.backend.training.callback_memory import is_kept
from modelspec.backend.training.step_errors import layer_on
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.places import place_all
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Route
from modelspec.runs.progress import Listener

_TABLES = (
    tf.lookup.experimental.MutableHashTable,
    tf.lookup.experimental.DenseHashTable,
)
_MUTATORS = frozenset(
    {"append", "appendleft", "add", "extend", "insert", "update", "setdefault", "pop", "popleft"}
    | {"popitem", "remove", "discard", "clear", "sort", "reverse", "write"}
)
_DRAWS = frozenset(
    {"RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal"}
    | {"ParameterizedTruncatedNormal", "RandomGamma", "RandomPoissonV2", "Multinomial"}
    | {"RandomShuffle"}
)
"""TensorFlow's operations that count their draws where the count cannot be read."""

_PYTHON = frozenset({"PyFunc", "EagerPyFunc"})


def warn_of_unkept_parts(
    valid: ValidSpec, model: Any, callbacks: Sequence[Any], listener: Listener
) -> None:
    """Warn of a plugin's callbacks, layers and optimizers whose state no checkpoint contains."""
    if valid.catalog.plugins:
        problems = [
            *_check_callbacks(valid.spec.training.callbacks, callbacks),
            *_check_objects(valid, model),
        ]
        listener.problems(place_all(problems, valid.document))


def warn_of_unkept_operations(valid: ValidSpec, model: Any, listener: Listener, graph: Any) -> None:
    """Warn of operations in the graph of a training step that a resumed run cannot repeat."""
    if valid.catalog.plugins:
        problems = dict.fromkeys(_check_operations(valid, model, graph))
        listener.problems(place_all([*problems], valid.document))


def _check_callbacks(written: Sequence[Any], callbacks: Sequence[Any]) -> Iterator[Diagnostic]:
    """Yield problems of a plugin's callbacks with other state than numbers and weights.

    ``written`` are the callbacks in the spec.
    """
    for position, (value, callback) in enumerate(zip(written, callbacks, strict=True)):
        names = unkept_attributes(callback)
        named = Written.read(value, ("training", "callbacks", position))
        if names and named is not None:
            yield _callback_problem(named, names)


def _callback_problem(written: Written, names: Sequence[str]) -> Diagnostic:
    listed = ", ".join(names)
    message = (
        f"a checkpoint cannot save {listed} of {written.name}: a resumed run starts without it"
    )
    hint = "keep it in attributes that are numbers, or a list of arrays like model.get_weights()"
    return Diagnostic("state-not-kept", message, written.route, "key", "warning", hint)


def unkept_attributes(callback: Any) -> list[str]:
    """Return a callback's attributes that its own methods change and no checkpoint contains."""
    methods = list(_own_methods(type(callback)))
    settings = {
        name for kind in type(callback).__mro__[:-1] for name in inspect.signature(kind).parameters
    }
    return sorted(
        name
        for name, value in vars(callback).items()
        if name not in settings
        and not is_kept(value)
        and any(_changes(method, name, value) for method in methods)
    )


def _own_methods(kind: type) -> Iterator[FunctionType]:
    """Yield the methods of a class that run in training, without those that Keras defines."""
    for owner in kind.__mro__:
        if owner.__module__.partition(".")[0] in ("keras", "builtins"):
            continue
        for name, member in vars(owner).items():
            if isinstance(member, FunctionType) and name not in ("__init__", "set_model"):
                yield member


def _changes(method: FunctionType, name: str, value: Any) -> bool:
    """Return True where a method assigns an attribute, or changes the container in it."""
    steps = list(dis.get_instructions(method))
    if any(step.opname in ("STORE_ATTR", "DELETE_ATTR") and step.argval == name for step in steps):
        return True
    if callable(value) or isinstance(value, str | bytes | tuple | frozenset):
        return False
    reads = any(step.argval == name for step in steps)
    changes = any(
        step.opname in ("STORE_SUBSCR", "DELETE_SUBSCR") or step.argval in _MUTATORS
        for step in steps
    )
    return reads and changes


def _check_objects(valid: ValidSpec, model: Any) -> Iterator[Diagnostic]:
    """Yield problems of layers and optimizers with tables of TensorFlow, which are not saved."""
    owners = [(layer, _layer_route(valid, layer.name)) for layer in all_layers(model)]
    for owner, route in [*owners, (model.optimizer, ("optimizer",))]:
        if any(isinstance(value, _TABLES) for value in vars(owner).values()):
            message = (
                f"a checkpoint cannot save the table of {owner.name}: it is empty in a resumed run"
            )
            hint = "keep its entries in a variable"
            yield Diagnostic("state-not-kept", message, route, "key", "warning", hint)


def _check_operations(valid: ValidSpec, model: Any, graph: Any) -> Iterator[Diagnostic]:
    """Yield draws and Python code in a step's graph that a resumed run cannot repeat."""
    for node in _nodes(graph.as_graph_def()):
        if node.op not in _DRAWS | _PYTHON:
            continue
        layer = layer_on(node.name.split("/"), model)
        route = _layer_route(valid, layer) if layer else ()
        where = f" of {layer}" if layer else ""
        if node.op in _PYTHON:
            message = f"a step{where} runs Python code, and a checkpoint cannot save its state"
            hint = "write it with keras.ops, and keep state in variables"
        else:
            message = f"a checkpoint cannot save the state of the random numbers{where} ({node.op})"
            hint = "use keras.random with a keras.random.SeedGenerator that is an attribute"
        yield Diagnostic("state-not-kept", message, route, "key", "warning", hint)


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _layer_route(valid: ValidSpec, name: str) -> Route:
    routes: Mapping[str, Route] = {node.name: node.route for node in valid.graph.nodes}
    return routes.get(name, ())

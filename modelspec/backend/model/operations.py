"""Calls of ``keras.ops`` on symbolic tensors, which become nodes of the model."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import keras
import numpy as np

from modelspec.backend.keras_private import (
    GraphNode,
    MissingPartError,
    as_functional,
    call_that_made,
    graph_nodes,
    infer_output,
)
from modelspec.backend.model.keras_errors import error_text
from modelspec.catalog import Entry
from modelspec.catalog.entries import OPERATION_PREFIX
from modelspec.catalog.operation_facts import is_plain
from modelspec.graph.operations import SLICED
from modelspec.language.slices import read_slices


def call_operation(entry: Entry, constants: Mapping[str, Any], tensors: Mapping[str, Any]) -> Any:
    """Return the result of a function of ``keras.ops`` for symbolic tensors and constants.

    Raises:
        Exception: Keras refuses them, with any type.
    """
    function = _function(entry.name)
    values = {name: _constant(entry, name, value) for name, value in constants.items()}
    values |= {name: _tensor(entry, name, value) for name, value in tensors.items()}
    arguments = _bound(function, values)
    result = function(*arguments.args, **arguments.kwargs)
    if not all(isinstance(tensor, keras.KerasTensor) for tensor in keras.tree.flatten(result)):
        raise ValueError("its result is not a tensor, so no model can contain it")
    if not is_plain(entry.name) and keras.backend.backend() == "tensorflow":
        trace_again(result)
    return result


def trace_again(result: Any) -> None:
    """Trace the computation of a result.

    Raises:
        ValueError: The backend cannot compute it, or has another shape.
    """
    _compare(result, _traced(result))


def _traced(result: Any) -> Any:
    """Return the result of tracing the computation: Keras's stated shapes may be wrong."""
    call = call_that_made(keras.tree.flatten(result)[0])

    def compute(*tensors: Any) -> Any:
        places = map(id, call.inputs)
        args, kwargs = call.fill_in(dict(zip(places, tensors, strict=True)))
        return call.operation(*args, **kwargs)

    try:
        with keras.StatelessScope(initialize_variables=False):
            return infer_output(compute, *call.inputs)
    except MissingPartError:
        raise
    except Exception as error:
        raise ValueError(
            f"TensorFlow cannot compute it on batches of any size: {error_text(error)}"
        ) from error


def _compare(stated: Any, computed: Any) -> None:
    """Refuse a call with wrong shapes from Keras: later layers would be built for them.

    Raises:
        ValueError: The stated and the computed shapes differ.
    """
    pairs = zip(keras.tree.flatten(stated), keras.tree.flatten(computed), strict=False)
    for one, other in pairs:
        first, second = tuple(one.shape), tuple(other.shape)
        known = zip(first, second, strict=False)
        if len(first) != len(second) or any(a != b for a, b in known if None not in (a, b)):
            raise ValueError(f"Keras computes the shape {first}, but it is {second}")


def operation_of(result: Any) -> Any:
    """Return the operation in the model's graph that computed a result, or the first of several."""
    return call_that_made(keras.tree.flatten(result)[0]).operation


def _function(name: str) -> Callable[..., Any]:
    member: Any = keras.ops
    for part in name.removeprefix(OPERATION_PREFIX).split("."):
        member = getattr(member, part)
    function: Callable[..., Any] = member
    return function


def _bound(function: Callable[..., Any], arguments: dict[str, Any]) -> inspect.BoundArguments:
    """Bind arguments by name to a function; those of ``*operands`` at their positions."""
    signature = inspect.signature(function)
    rest = {parameter.name: parameter.kind for parameter in signature.parameters.values()}
    plain = {name: value for name, value in arguments.items() if name in rest}
    bound = inspect.BoundArguments(
        signature,
        {
            name: tuple(plain[name]) if kind is inspect.Parameter.VAR_POSITIONAL else plain[name]
            for name, kind in rest.items()
            if name in plain
        },
    )
    more = {name: value for name, value in arguments.items() if name not in rest}
    keywords = next((n for n, kind in rest.items() if kind is inspect.Parameter.VAR_KEYWORD), None)
    if more and keywords:
        bound.arguments[keywords] = more
    return bound


def _tensor(entry: Entry, name: str, value: Any) -> Any:
    """Return one tensor, or the list of tensors that some arguments take."""
    if name in entry.several:
        return list(value) if isinstance(value, list | tuple) else [value]
    if isinstance(value, list | tuple):
        raise ValueError(  # noqa: TRY004 - the message is for the user
            f"{name} is one tensor, but gets {len(value)}: name the results with as, and use one"
        )
    return value


def _constant(entry: Entry, name: str, value: Any) -> Any:
    if SLICED.get(entry.name) == name:
        return read_slices(value)
    if name in entry.call_arguments and name not in entry.several and isinstance(value, list):
        return _array(value)
    return _as_tuple(value)


def _as_tuple(value: Any) -> Any:
    """Convert lists to tuples, which all functions accept, unlike lists; files keep them."""
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def _array(values: list[Any]) -> Any:
    """Convert a list to an array, whose shape Keras sees, of the dtype of the computation."""
    array = np.asarray(values)
    if array.dtype.kind == "f":
        # NumPy has no bfloat16, but float32 contains all its values.
        wide = keras.config.dtype_policy().compute_dtype == "float64"
        return array.astype("float64" if wide else "float32")
    if array.dtype.kind == "i" and np.abs(array).max(initial=0) < 2**31:
        return array.astype("int32")
    return array


def sources_of(call: GraphNode) -> Iterator[Any]:
    """Yield the operations whose values a call takes, without those of its masks."""
    return (source for _, source in inputs_of(call))


def inputs_of(call: GraphNode) -> Iterator[tuple[Any, Any]]:
    """Yield each tensor that a call takes, and its operation, without masks."""
    masks = {
        id(tensor)
        for name, value in call.kwargs.items()
        if name.endswith("mask")
        for tensor in keras.tree.flatten(value)
    }
    for tensor, source in zip(call.inputs, call.sources, strict=True):
        if id(tensor) not in masks or isinstance(source, keras.Layer):
            yield tensor, source


def operations_of(model: Any) -> list[Any]:
    """Return the operations of a functional model that compute its values, and are not layers.

    Operations that only compute masks, which layers add automatically, are left out.
    """
    calls: dict[int, list[GraphNode]] = {}
    for call in graph_nodes(model):
        calls.setdefault(id(call.operation), []).append(call)
    waiting = [call_that_made(tensor).operation for tensor in model.outputs]
    reached: dict[int, Any] = {}
    while waiting:
        operation = waiting.pop()
        if id(operation) not in reached:
            reached[id(operation)] = operation
            for call in calls.get(id(operation), ()):
                waiting.extend(sources_of(call))
    return [
        operation
        for operation in model.operations
        if id(operation) in reached and not _is_layer(operation)
    ]


def inner_operations(model: Any) -> Iterator[Any]:
    """Yield the operations of a model and of the models among its layers."""
    functional = as_functional(model)
    if functional is not None:
        yield from operations_of(functional)
        for layer in functional.layers:
            yield from inner_operations(layer)


def _is_layer(operation: Any) -> bool:
    return isinstance(operation, keras.Layer)


def operation_name(operation: Any) -> str | None:
    """Return ``ops.mean`` for its operation; None for layers and operations without a function."""
    if isinstance(operation, keras.Layer):
        return None
    return _functions().get(_folded(type(operation).__name__))


@cache
def _functions() -> Mapping[str, str]:
    """Return the functions by the folded names of their operations: ``leakyrelu``, ``getitem``."""
    spaces = {"image.": keras.ops.image, "": keras.ops}
    return {
        _folded(name): f"{OPERATION_PREFIX}{space}{name}"
        for space, module in spaces.items()
        for name in vars(module)
        if not name.startswith("_")
    }


def _folded(name: str) -> str:
    return name.replace("_", "").lower()

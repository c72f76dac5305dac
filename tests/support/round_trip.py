"""Two Keras models compared by their computations, whatever the names of their layers."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import keras

from modelspec.backend.model.recursion import with_deep_stack


class _Walk:
    """The calls behind a model's outputs, nested models expanded, numbered from the outputs."""

    def __init__(self, model: Any) -> None:
        self._inputs = {id(tensor): place for place, tensor in enumerate(model.inputs)}
        self.entries: list[Any] = []
        self._calls: dict[Any, int] = {}
        self._layers: dict[int, int] = {}
        self.layers: list[Any] = []

    def tensor(self, tensor: Any, bound: Mapping[int, Any], scope: Any) -> Any:
        """Return the source of a symbolic tensor; ``bound`` are the inputs of a nested model."""
        if id(tensor) in bound:
            return bound[id(tensor)]()
        operation, number, index = tensor._keras_history
        node = operation._inbound_nodes[number]
        if node.is_input:
            return ("input", self._inputs[id(tensor)], tuple(tensor.shape), str(tensor.dtype))
        if isinstance(operation, keras.Model) and hasattr(operation, "outputs"):
            return self.nested(operation, node, number, index, bound, scope)
        key = (id(operation), number, scope)
        if key not in self._calls:
            self.call(key, operation, node, bound, scope)
        return (self._calls[key], index)

    def nested(  # noqa: PLR0917 - what a walk needs
        self, model: Any, node: Any, number: int, index: int, bound: Mapping[int, Any], scope: Any
    ) -> Any:
        inner = getattr(model, "_functional", None) or model
        tensors = keras.tree.flatten(node.arguments.args)
        inside = {
            id(ours): (lambda theirs=theirs: self.tensor(theirs, bound, scope))
            for ours, theirs in zip(inner.inputs, tensors, strict=True)
        }
        return self.tensor(inner.outputs[index], inside, (*scope, id(model), number))

    def call(
        self, key: Any, operation: Any, node: Any, bound: Mapping[int, Any], scope: Any
    ) -> None:
        def plain(value: Any) -> Any:
            if isinstance(value, keras.KerasTensor):
                return self.tensor(value, bound, scope)
            if isinstance(value, list | tuple):
                return tuple(plain(item) for item in value)
            if isinstance(value, Mapping):
                return tuple((name, plain(item)) for name, item in sorted(value.items()))
            return repr(value)

        called = node.arguments.args, dict(node.arguments.kwargs)
        with suppress(TypeError):  # what is called by position and by name is the same
            named = inspect.signature(operation.call).bind(*called[0], **called[1])
            called = (), dict(named.arguments)
        passed = {name: item for name, item in called[1].items() if item is not None}
        arguments = plain(called[0]), plain(passed)
        self._calls[key] = len(self._calls)
        if id(operation) not in self._layers:
            self.layers.append(operation)
        layer = self._layers.setdefault(id(operation), len(self._layers))
        self.entries.append((type(operation).__name__, layer, config_of(operation), arguments))


def config_of(layer: Any) -> Any:
    config = dict(keras.saving.serialize_keras_object(layer).get("config", {}))
    config.pop("name", None)
    return without_names(config)


def without_names(value: Any) -> Any:
    """Return a config without names, which Keras numbers, and with lists for tuples."""
    if isinstance(value, Mapping):
        return {
            key: without_names(item)
            for key, item in value.items()
            if key not in ("build_config", "module", "registered_name")
            and (key != "name" or value.keys() == {"name"})
        }
    if isinstance(value, list | tuple):
        return [without_names(item) for item in value]
    return value


def canonical(model: Any) -> list[Any]:
    """Return a model's calls from its outputs, and its outputs; equal models have equal lists."""

    def made() -> list[Any]:
        walk = _Walk(model)
        outputs = [walk.tensor(tensor, {}, ()) for tensor in keras.tree.flatten(model.outputs)]
        return [*walk.entries, outputs]

    return with_deep_stack(made)


def differences(one: Any, other: Any) -> Iterator[str]:
    """Yield the differences of two models, shortened."""
    first, second = canonical(one), canonical(other)
    for place, (ours, theirs) in enumerate(zip(first, second, strict=False)):
        if ours != theirs:
            yield f"{place}: {ours}\n   {theirs}"
    if len(first) != len(second):
        yield f"{len(first)} calls, {len(second)} calls"
    if one.count_params() != other.count_params():
        yield f"{one.count_params()} parameters, {other.count_params()} parameters"

"""Frozen beginnings of a model, computed once for each row instead of in every epoch.

All values before the first trained weight, random layer or state that training changes are the same
in all epochs. They replace the model's inputs during training; the model itself is not changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.keras_private import mask_of, set_mask, takes_training
from modelspec.backend.training.fixed_calls import Call, calls_in, is_fixed

_EPOCHS = 3
"""The number of epochs from which the values save more time than their computation takes."""

_LOOKUPS = (
    keras.layers.HashedCrossing,
    keras.layers.Hashing,
    keras.layers.IntegerLookup,
    keras.layers.StringLookup,
    keras.layers.TextVectorization,
)
"""Layers whose tables and texts take longer than most layers after them."""

_DTYPES = ("float16", "float32", "float64", "int32", "int64", "int8", "uint8", "bool")


@dataclass(frozen=True, slots=True)
class _Named:
    """A symbolic input of the rest of a model, by name."""

    name: str
    dtype: str


class _Whole(keras.Layer):  # type: ignore[misc]
    """Runs calls as one call of a model does.

    Layers inside see whether it trains, and their losses are kept until the next call.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(name=model.name)
        self._model = model
        self.built = True

    def call(self, run: Callable[[], Any], training: bool | None = None) -> Any:  # noqa: FBT001 - as Keras calls it
        del training
        return run()


class Rest:
    """A model that continues from the results of its beginning; all else is the model's own."""

    def __init__(self, model: Any, tensors: Sequence[Any], calls: Sequence[Call]) -> None:
        self._model, self._values, self._calls = model, tensors, calls
        self._masked, self._whole = list(filter(_masked, tensors)), _Whole(model)
        self.tensors = [*tensors, *map(mask_of, self._masked)]
        self.inputs = [_Named(f"value_{index}", _dtype(t)) for index, t in enumerate(tensors)]
        self.inputs += [_Named(f"mask_{index}", "bool") for index, _ in enumerate(self._masked)]

    def __call__(self, inputs: Any, *, training: bool | None = None) -> Any:
        flat = keras.tree.flatten(inputs)
        values = dict(zip(map(id, self._values), flat, strict=False))
        for tensor, mask in zip(self._masked, flat[len(self._values) :], strict=True):
            set_mask(values[id(tensor)], mask)
        self._whole(run=partial(_run, self._calls, values, training), training=training)
        return keras.tree.map_structure(lambda tensor: values[id(tensor)], self._model.output)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


@dataclass(frozen=True, slots=True)
class Parts:
    """A model in two parts, which share its layers.

    ``tensors`` are passed from the beginning to the rest. ``costly`` says whether the beginning has
    weights, or looks up text.
    """

    model: Any
    layers: Sequence[Any]
    calls: Sequence[Call]
    tensors: Sequence[Any]
    rest: Rest
    costly: bool

    def beginning(self, inputs: Any) -> list[Any]:
        """Compute the tensors for the rest, and then the masks of those that have one."""
        values = {
            id(symbol): _as_declared(tensor, symbol)
            for symbol, tensor in zip(self.model.inputs, keras.tree.flatten(inputs), strict=True)
        }
        _Whole(self.model)(run=partial(_run, self.calls, values, False), training=False)
        results = [values[id(tensor)] for tensor in self.tensors]
        pairs = zip(self.tensors, results, strict=True)
        return [*results, *(mask_of(result) for tensor, result in pairs if _masked(tensor))]


def _as_declared(tensor: Any, symbol: Any) -> Any:
    """Return an input with the dtype, and the last axis of 1 or none, that Keras gives it."""
    if tensor.dtype != tf.string:
        tensor = tf.cast(tensor, symbol.dtype)
    rank, declared = len(tensor.shape), len(symbol.shape)
    if rank + 1 == declared and symbol.shape[-1] == 1:
        return tensor[..., None]
    return tensor[..., 0] if rank == declared + 1 and tensor.shape[-1] == 1 else tensor


def _run(calls: Sequence[Call], values: dict[int, Any], training: bool | None) -> None:  # noqa: FBT001 - of a partial
    """Make calls in order, as Keras's functional models do."""
    for call in calls:
        if call.node is None:
            results = [values[id(tensor)] for tensor in call.inputs]
        else:
            args, kwargs = call.node.fill_in(values)
            if training is not None and takes_training(call.node.operation):
                kwargs["training"] = training
            results = keras.tree.flatten(call.node.operation(*args, **kwargs))
        values.update(zip(map(id, call.outputs), results, strict=True))


def split(model: Any) -> Parts | None:
    """Return the largest frozen beginning of a model; None where there is none."""
    fixed = {id(tensor): tensor for tensor in model.inputs}
    inside: list[Call] = []
    after: list[Call] = []
    for call in calls_in(model, closed=is_fixed):
        if all(id(tensor) in fixed for tensor in call.inputs) and is_fixed(call.operation):
            fixed |= {id(tensor): tensor for tensor in call.outputs}
            inside.append(call)
        else:
            after.append(call)
    layers = [call.operation for call in inside if isinstance(call.operation, keras.Layer)]
    taken = [*(tensor for call in after for tensor in call.inputs), *model.outputs]
    tensors = list({id(tensor): tensor for tensor in taken if id(tensor) in fixed}.values())
    if not layers or not after or not tensors:
        return None
    if any(_dtype(tensor) not in _DTYPES for tensor in tensors):
        return None
    costly = any(layer.weights or isinstance(layer, _LOOKUPS) for layer in layers)
    return Parts(model, layers, inside, tensors, Rest(model, tensors, after), costly)


def pays(model: Any, epochs: int, *, needed: bool = False) -> bool:
    """Return the decision of ``auto``, from the graph and the number of epochs alone.

    ``needed`` says that the beginning cannot be part of a step.
    """
    parts = split(model) if needed or epochs >= _EPOCHS else None
    return parts is not None and (needed or parts.costly)


def _masked(tensor: Any) -> bool:
    return mask_of(tensor) is not None


def _dtype(tensor: Any) -> str:
    return str(keras.backend.standardize_dtype(tensor.dtype))

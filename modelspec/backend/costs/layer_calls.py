"""Layer calls of a Keras model, with the shapes of their inputs and results."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from modelspec.backend.keras_private import (
    GraphNode,
    as_functional,
    graph_nodes,
    infer_output,
    input_layer,
)
from modelspec.backend.model.symbols import symbols_only
from modelspec.problems.errors import ModelError
from modelspec.results.shape import Shape

Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer on one sample: shapes are without the batch.

    ``inputs`` are the positional tensors, lists of them flattened; ``named`` those passed by
    keyword. ``flags`` are the other keywords. ``learned`` says whether an input depends on
    trainable weights, so that gradients are computed for it. ``owner`` is the name of the layer of
    the whole model in which the call is made. ``operands`` are the positional tensors and the
    constant arrays among them, whose shapes have no batch.
    """

    owner: str
    layer: Any
    inputs: tuple[Sizes, ...]
    outputs: tuple[Sizes, ...]
    named: Mapping[str, Sizes]
    flags: Mapping[str, Any]
    learned: bool = False
    operands: tuple[Sizes, ...] = ()

    @property
    def input(self) -> Sizes:
        """The shape of the first tensor."""
        return (*self.inputs, *self.named.values())[0]

    @property
    def elements(self) -> int:
        """The number of elements in all results."""
        return sum(map(math.prod, self.outputs))

    def tensor(self, name: str, position: int) -> Sizes | None:
        """Return the shape of an argument that can be passed by name or by position."""
        if name in self.named:
            return self.named[name]
        return self.inputs[position] if position < len(self.inputs) else None


def calls(model: Any, lengths: Mapping[str, Shape] | None = None) -> Iterator[Call]:
    """Yield the calls of a functional or sequential model, and of models in it, in order.

    ``lengths`` replace the shapes of inputs with unknown axes, without the batch. Nothing is
    computed and no weight is created.

    Raises:
        ModelError: An axis is still unknown.
    """
    inputs = [_lengthened(tensor, (lengths or {}).get(tensor.name)) for tensor in model.inputs]
    for old, new in zip(model.inputs, inputs, strict=True):
        yield _call(None, input_layer(old), (), {}, [new], learned=False)
    yield from _walk(None, as_functional(model), inputs, [False] * len(inputs))


def outputs(model: Any, lengths: Mapping[str, Shape] | None = None) -> list[Any]:
    """Return the symbolic results of a model; ``lengths`` are as in ``calls``."""
    if _known(model.outputs):
        return list(model.outputs)
    inputs = [_lengthened(tensor, (lengths or {}).get(tensor.name)) for tensor in model.inputs]
    whole = as_functional(model)
    with symbols_only():
        return list(keras.tree.flatten(infer_output(whole.call, inputs)))


def _lengthened(tensor: Any, shape: Shape | None) -> Any:
    if shape is None or None not in tensor.shape[1:]:
        return tensor
    return keras.KerasTensor((None, *shape), dtype=tensor.dtype, name=tensor.name)


def _walk(owner: str | None, model: Any, inputs: list[Any], learned: list[bool]) -> Iterator[Call]:
    known = {id(old): new for old, new in zip(model.inputs, inputs, strict=True)}
    tainted = {id(old) for old, flag in zip(model.inputs, learned, strict=True) if flag}
    for node in graph_nodes(model):
        if node.is_input:
            continue
        layer = node.operation
        args, kwargs = node.fill_in(known)
        results = _results(node, args, kwargs)
        behind = [id(tensor) in tainted for tensor in node.inputs]
        if (inner := as_functional(layer)) is not None:
            yield from _walk(owner or layer.name, inner, _tensors((args, kwargs)), behind)
        else:
            yield _call(owner, layer, args, kwargs, results, learned=any(behind))
        known |= {id(old): new for old, new in zip(node.outputs, results, strict=True)}
        if any(behind) or getattr(layer, "trainable_weights", None):
            tainted |= {id(tensor) for tensor in node.outputs}


def _results(node: GraphNode, args: Any, kwargs: Any) -> list[Any]:
    """Return the results of a call; computed again where their shapes have unknown axes."""
    if _known(node.outputs):
        return list(node.outputs)
    layer = node.operation
    with symbols_only():
        results = keras.tree.flatten(layer.compute_output_spec(*args, **kwargs))
        if not _known(results):
            # Some layers declare a length as unknown that their call determines.
            results = keras.tree.flatten(infer_output(layer.call, *args, **kwargs))
    return list(results)


def _known(tensors: Iterable[Any]) -> bool:
    return all(None not in tensor.shape[1:] for tensor in tensors)


def _call(
    owner: str | None, layer: Any, args: Any, kwargs: Any, results: list[Any], *, learned: bool
) -> Call:
    tensors = {name: value for name, value in kwargs.items() if _is_tensor(value)}
    return Call(
        owner or layer.name,
        layer,
        inputs=tuple(_sizes(layer, tensor) for tensor in _tensors(args)),
        outputs=tuple(_sizes(layer, result) for result in results),
        named={name: _sizes(layer, value) for name, value in tensors.items()},
        flags={name: value for name, value in kwargs.items() if name not in tensors},
        learned=learned,
        operands=tuple(_operands(layer, args)),
    )


def _operands(layer: Any, args: Any) -> Iterator[Sizes]:
    for value in keras.tree.flatten(args):
        if _is_tensor(value):
            yield _sizes(layer, value)
        elif isinstance(value, np.ndarray):
            yield tuple(value.shape)


def _tensors(arguments: Any) -> list[Any]:
    return [value for value in keras.tree.flatten(arguments) if _is_tensor(value)]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor)


def _sizes(layer: Any, tensor: Any) -> Sizes:
    sizes = tuple(tensor.shape[1:])
    if None in sizes:
        raise ModelError(f"{layer.name} has an unknown length: {tuple(tensor.shape)}")
    return sizes

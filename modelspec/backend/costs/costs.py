"""Costs of a Keras model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from modelspec.backend.costs.exchange import exchange
from modelspec.backend.costs.flops import flops, kept, training_flops
from modelspec.backend.costs.layer_calls import Call, calls, outputs
from modelspec.backend.costs.rules import class_names
from modelspec.backend.model.optimizer_state import optimizer_bytes
from modelspec.backend.model.recursion import with_deep_stack
from modelspec.backend.model.sizes import bytes_of, itemsize
from modelspec.results.costs import Costs, LayerCosts
from modelspec.results.shape import Shape


def costs(model: Any, optimizer: Any | None, lengths: Mapping[str, Shape] | None = None) -> Costs:
    """Compute the costs of training, for batches of one sample.

    ``optimizer`` must not be built yet, or must be the model's own. ``lengths`` are as in
    ``calls``.

    Raises:
        ModelError: A length is unknown.
    """
    made: dict[str, list[Call]] = {layer.name: [] for layer in model.layers}
    all_calls = with_deep_stack(lambda: list(calls(model, lengths)))
    for call in all_calls:
        # An operation that is not a layer, such as an addition of two tensors, has no row of its
        # own.
        made.setdefault(call.owner, []).append(call)
    learned = model.trainable_weights
    return Costs(
        name=model.name,
        batch_size=1,
        lengths=dict(lengths or {}),
        layers=tuple(_of_layer(name, layer_calls) for name, layer_calls in made.items()),
        parameters=bytes_of(model.weights),
        gradients=bytes_of(learned),
        optimizer=None if optimizer is None else optimizer_bytes(optimizer, learned),
        exchange=exchange(model, all_calls, outputs(model, lengths)),
    )


def _of_layer(name: str, made: Iterable[Call]) -> LayerCosts:
    layer_calls = list(made)
    return LayerCosts(
        name,
        flops=sum(map(flops, layer_calls)),
        training_flops=sum(map(training_flops, layer_calls)),
        activations=sum(kept(call) * itemsize(_dtype(call.layer)) for call in layer_calls),
    )


def _dtype(layer: Any) -> Any:
    """Return the dtype of a layer; an operation that is not a layer has none of its own."""
    return getattr(layer, "compute_dtype", None) or keras.config.floatx()


@dataclass(frozen=True, slots=True)
class Work:
    """The operations of a model for one sample, forward.

    ``calls`` are of layers; ``recurrent`` and ``convolutional`` say whether any of those is among
    them, also inside a wrapper.
    """

    flops: int
    calls: int
    recurrent: bool
    convolutional: bool


def work(model: Any, shapes: Mapping[str, Shape] | None = None) -> Work:
    """Return the operations of a model; ``shapes`` are its inputs' real ones, without the batch.

    They depend only on the model and the shapes, so that decisions based on them are reproducible.
    """
    made = with_deep_stack(lambda: list(calls(model, shapes)))
    kinds = {name for call in made for name in class_names(call.layer)}
    return Work(
        flops=sum(map(flops, made)),
        calls=len(made),
        recurrent="RNN" in kinds,
        convolutional=any("Conv" in name for name in kinds),
    )

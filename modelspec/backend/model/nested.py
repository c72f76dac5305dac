"""The layers of a model and of the models inside of it, at any depth, by their dotted names."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from modelspec.backend.keras_private import as_functional


def layers_inside(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each layer that is no model, with its name behind those of the models around it."""
    for layer in model.layers:
        inner, name = as_functional(layer), f"{prefix}{layer.name}"
        if inner is None:
            yield name, layer
        else:
            yield from layers_inside(inner, f"{name}.")


def names_of(name: str) -> list[str]:
    """By what a pattern can match a layer: its own name, and what it is inside of."""
    steps = name.split(".")
    return [".".join(steps[:count]) for count in range(len(steps), 0, -1)]


def freeze_inside(
    model: Any, is_trained: Callable[[Sequence[str]], bool], prefix: str = ""
) -> bool:
    """Freeze the layers whose ``names_of`` are not to be trained; whether any is trained."""
    trained = False
    for layer in model.layers:
        inner, name = as_functional(layer), f"{prefix}{layer.name}"
        if inner is None:
            layer.trainable = is_trained(names_of(name))
        else:
            # Keras trains nothing inside of a model that is frozen itself.
            layer.trainable = True
            if not freeze_inside(inner, is_trained, f"{name}."):
                layer.trainable = False
        trained = trained or layer.trainable
    return trained

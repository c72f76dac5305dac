"""The layers of a model and of the models inside of it, at any depth, by their dotted names."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from modelspec.backend.keras_private import as_functional


def layers_inside(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each layer that is not a model, with the names of the models around it as a prefix."""
    for layer in model.layers:
        inner, name = as_functional(layer), f"{prefix}{layer.name}"
        if inner is None:
            yield name, layer
        else:
            yield from layers_inside(inner, f"{name}.")


def names_of(name: str) -> list[str]:
    """Return the names by which a pattern can match a layer: its own and those of its models."""
    steps = name.split(".")
    return [".".join(steps[:count]) for count in range(len(steps), 0, -1)]


def freeze_inside(
    model: Any, is_trained: Callable[[Sequence[str]], bool], prefix: str = ""
) -> bool:
    """Freeze the layers whose ``names_of`` are not trained; return True where any is trained."""
    trained = False
    for layer in model.layers:
        inner, name = as_functional(layer), f"{prefix}{layer.name}"
        if inner is None:
            layer.trainable = is_trained(names_of(name))
        else:
            # Keras trains no layer inside of a frozen model.
            layer.trainable = True
            if not freeze_inside(inner, is_trained, f"{name}."):
                layer.trainable = False
        trained = trained or layer.trainable
    return trained

"""The layer of a model in whose call Keras raised an error."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def all_frames() -> Iterator[None]:
    """Let errors keep the frames of Keras, by which ``failed_layer`` finds the layer."""
    before = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if before:
            keras.config.enable_traceback_filtering()


def first_error(error: Exception) -> Exception:
    """The error itself, or the one that Keras quotes when it cannot build a model for it."""
    context = error.__context__
    quotes = isinstance(context, Exception) and "automatically build the model" in str(error)
    return context if quotes and isinstance(context, Exception) else error


def failed_layer(error: Exception, model: Any) -> str | None:
    """The name of the innermost layer of a model whose call raised an error, if one did."""
    names = {id(layer): layer.name for layer in model.layers}
    called = [names[id(owner)] for owner in _owners(error) if id(owner) in names]
    return called[-1] if called else None


def failed_in_optimizer(error: Exception) -> bool:
    """Whether an optimizer raised an error as it updated weights."""
    return any(isinstance(owner, keras.optimizers.Optimizer) for owner in _owners(error))


def _owners(error: Exception) -> Iterator[Any]:
    """The objects whose methods an error went through, outermost first."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield frame.f_locals.get("self")

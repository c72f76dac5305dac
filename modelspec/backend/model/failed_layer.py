"""The layer of a model in whose call Keras raised an error."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def all_frames() -> Iterator[None]:
    """Make errors keep the frames of Keras, in which ``failed_layer`` finds the layer."""
    before = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if before:
            keras.config.enable_traceback_filtering()


def first_error(error: Exception) -> Exception:
    """Return the error, or the one that Keras quotes when it cannot build a model."""
    context = error.__context__
    quotes = isinstance(context, Exception) and "automatically build the model" in str(error)
    return context if quotes and isinstance(context, Exception) else error


def failed_layer(error: Exception, model: Any) -> str | None:
    """Return the name of the innermost layer of a model whose call raised an error, or None."""
    names = {id(layer): layer.name for layer in model.layers}
    called = [names[id(owner)] for owner in _owners(error) if id(owner) in names]
    return called[-1] if called else None


def failed_in_optimizer(error: Exception) -> bool:
    """Return True where an optimizer raised an error while it updated weights."""
    return any(isinstance(owner, keras.optimizers.Optimizer) for owner in _owners(error))


def _owners(error: Exception) -> Iterator[Any]:
    """Yield the objects whose methods are in the traceback of an error, outermost first."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield frame.f_locals.get("self")

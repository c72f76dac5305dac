"""The reason why a training ended, and the epoch whose weights the model keeps."""

from collections.abc import Iterable
from typing import Any

from keras.callbacks import EarlyStopping

from modelspec.runs.record import ALL_EPOCHS


def end_reason(callbacks: Iterable[Any], done: int, epochs: int) -> str:
    """Return why a training ended after ``done`` of ``epochs`` epochs, for ``run.json``."""
    if done >= epochs:
        return ALL_EPOCHS
    stopped = [
        f"{type(callback).__name__} on {callback.monitor}"
        for callback in callbacks
        if isinstance(callback, EarlyStopping) and callback.stopped_epoch > 0
    ]
    return f"stopped early by {' and '.join(stopped) or 'a callback'}"


def model_epoch(callbacks: Iterable[Any], done: int) -> int:
    """Return the epoch, from 1, whose weights the model has after ``on_train_end``.

    It is the last, unless a callback restored the weights of its best epoch; Keras does so after
    the last epoch too. Of several such callbacks, the last one decides.
    """
    restored = [
        callback.best_epoch + 1
        for callback in callbacks
        if isinstance(callback, EarlyStopping)
        and callback.restore_best_weights
        and callback.best_weights is not None
        # A value from a checkpoint can be any number.
        and isinstance(callback.best_epoch, int)
    ]
    return restored[-1] if restored else done

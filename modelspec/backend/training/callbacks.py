"""Keras callbacks of a spec, kept within the run's folder."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import keras

from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.objects import make
from modelspec.catalog import Catalog
from modelspec.problems.errors import RunError

_PATHS = frozenset({"filepath", "filename", "log_dir", "backup_dir", "directory"})


def make_callbacks(catalog: Catalog, written: Sequence[Any], folder: Path) -> list[Any]:
    """The callbacks, with every path that they write to put under ``folder``."""
    return [make(catalog, "callback", _within(catalog, value, folder)) for value in written]


def tensorboard(folder: Path) -> Any:
    """Keras's own, which writes its logs of each epoch under ``folder``."""
    return keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False)


class CallbackRunner:
    """Tells callbacks of events; what they print goes to stderr, since stdout is for data."""

    def __init__(self, callbacks: Sequence[Any], model: Any, *, epochs: int, steps: int) -> None:
        self._list = keras.callbacks.CallbackList(
            list(callbacks), model=model, verbose=0, epochs=epochs, steps=steps
        )

    def __call__(self, event: str, *given: Any) -> None:
        """Tell of an event by the name of the callbacks' method for it.

        Raises:
            RunError: where a callback cannot go on.
        """
        try:
            with redirect_stdout(sys.stderr):
                getattr(self._list, event)(*given)
        except (OSError, RunError):
            raise
        except Exception as error:  # what a callback raises is its own choice
            said = error_text(error)
            raise RunError(f"a callback of the spec cannot go on ({event}): {said}") from error


def _within(catalog: Catalog, value: Any, folder: Path) -> dict[str, Any]:
    name, arguments = next(iter(value.items())) if isinstance(value, dict) else (value, None)
    entry = catalog.find("callback", name)
    given = dict(arguments or {})
    if entry is not None:
        for path in _PATHS & entry.arguments.keys():
            default = (entry.arguments[path].default or "").strip("'\"")
            place = folder / str(given.get(path) or default)
            place.parent.mkdir(parents=True, exist_ok=True)
            given[path] = str(place)
    return {name: given}


def idle(callbacks: Sequence[Any]) -> Iterator[str]:
    """What to say of callbacks that watch a value of validation, where there is none."""
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor.startswith("val_"):
            name = type(callback).__name__
            yield f"without validation there is no {monitor}: {name} will do nothing"

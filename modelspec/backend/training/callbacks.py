"""Keras callbacks of a spec, kept within the run's folder."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import keras
import numpy as np

from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.objects import make
from modelspec.backend.training.callback_files import continue_logs, keep_logs
from modelspec.backend.training.checkpoints import Position
from modelspec.catalog import Catalog
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Route
from modelspec.problems.errors import RunError

_PATHS = frozenset({"filepath", "filename", "log_dir", "backup_dir", "directory"})


def make_callbacks(catalog: Catalog, written: Sequence[Any], folder: Path) -> list[Any]:
    """Create the callbacks; every path that they write to is below ``folder``."""
    return [make(catalog, "callback", _within(catalog, value, folder)) for value in written]


def tensorboard(folder: Path) -> Any:
    """Create Keras's own callback, which writes its logs of each epoch below ``folder``."""
    return keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False)


class CallbackRunner:
    """Calls callbacks on events; what they print goes to stderr, because stdout is for data."""

    def __init__(self, callbacks: Sequence[Any], model: Any, *, epochs: int, steps: int) -> None:
        self._last = _LastLogs()
        self.callbacks = callbacks
        self._list = keras.callbacks.CallbackList(
            [*callbacks, self._last], model=model, verbose=0, epochs=epochs, steps=steps
        )

    def start(self, restore: Callable[[], Position]) -> Position:
        """Start training at the position from ``restore``; a resumed run continues its files.

        Raises:
            RunError: A callback raises an error.
        """
        keep_logs(self.callbacks)
        self("on_train_begin")
        position: Position = restore()
        continue_logs(self.callbacks, position.epoch)
        return position

    def __call__(self, event: str, *arguments: Any) -> None:
        """Call the callbacks' method with the name of an event.

        Raises:
            RunError: A callback raises an error.
        """
        try:
            with redirect_stdout(sys.stderr):
                getattr(self._list, event)(*arguments)
        except (OSError, RunError):
            raise
        except Exception as error:  # callbacks raise any type
            said = error_text(error)
            raise RunError(f"a callback of the spec failed ({event}): {said}") from error

    def epoch_ended(self, epoch: int, logs: Mapping[str, Any]) -> dict[str, float]:
        """Call the callbacks at an epoch's end; return their own logs: the learning rate.

        Raises:
            RunError: A callback raises an error.
        """
        self("on_epoch_end", epoch, dict(logs))
        added = {name: value for name, value in self._last.logs.items() if name not in logs}
        numbers = {name: np.asarray(value) for name, value in added.items()}
        return {name: float(value) for name, value in numbers.items() if value.ndim == 0}


class _LastLogs(keras.callbacks.Callback):  # type: ignore[misc]
    """The last callback, which keeps the logs of an epoch as the others leave them."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: Mapping[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        del epoch
        self.logs = dict(logs or {})


def _within(catalog: Catalog, value: Any, folder: Path) -> dict[str, Any]:
    written = Written.read(value)
    assert written is not None  # the checks accepted it
    entry = catalog.find("callback", written.name)
    arguments = dict(written.arguments)
    if entry is not None:
        for path in _PATHS & entry.arguments.keys():
            default = (entry.arguments[path].default or "").strip("'\"")
            place = folder / str(arguments.get(path) or default)
            place.parent.mkdir(parents=True, exist_ok=True)
            arguments[path] = str(place)
    return {written.name: arguments}


def check_monitors(
    written: Sequence[Any], callbacks: Sequence[Any], names: Sequence[str]
) -> list[Diagnostic]:
    """Report callbacks that monitor what no epoch logs; ``names`` are those of a training epoch.

    ``written`` are the callbacks in the spec. Names of validation are not checked here, because
    there may be no validation.
    """
    logging = any(isinstance(callback, keras.callbacks.ReduceLROnPlateau) for callback in callbacks)
    known = [*names, *(["learning_rate"] if logging else [])]
    problems = []
    for position, (value, callback) in enumerate(zip(written, callbacks, strict=True)):
        monitor = _watched(callback)
        if monitor is None or monitor.removeprefix("val_") in known or monitor in known:
            continue
        route: Route = ("training", "callbacks", position)
        named = Written.read(value, route)
        if named is not None and "monitor" in named.arguments:
            route = (*named.route, "monitor")
        message = f"no epoch logs {monitor}"
        hint = f"the logs are {', '.join(known)}, and the same with val_ if there is validation"
        problems.append(Diagnostic("unknown-monitor", message, route, hint=hint))
    return problems


def _watched(callback: Any) -> str | None:
    """Return a callback's monitor; None if it has none, as a checkpoint that saves every epoch."""
    monitor = getattr(callback, "monitor", None)
    return (
        monitor if isinstance(monitor, str) and getattr(callback, "save_best_only", True) else None
    )


def idle(callbacks: Sequence[Any]) -> Iterator[str]:
    """Yield a message for each callback that monitors validation where there is none."""
    for callback in callbacks:
        monitor = _watched(callback)
        if monitor is not None and monitor.startswith("val_"):
            name = type(callback).__name__
            yield f"without validation there is no {monitor}, so {name} has no effect"

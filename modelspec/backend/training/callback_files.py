"""Files of Keras's callbacks: written completely or not at all, and continued by a resumed run."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from modelspec.storage.atomic import replacing

_PER_FILE, _PER_VARIABLE = 1 << 16, 1 << 11
"""The bytes of a model's file besides its variables, measured and rounded up."""


@contextmanager
def saving_whole(model: Any) -> Iterator[None]:
    """Make ``model.save`` and ``model.save_weights`` write to a temporary file, if there is room.

    HDF5 ends the process when the disk becomes full while it writes, so the room is tested first.
    """
    for method in ("save", "save_weights"):
        setattr(model, method, _whole(model, getattr(model, method)))
    try:
        yield
    finally:
        del model.save, model.save_weights


def _whole(model: Any, write: Callable[..., Any]) -> Callable[..., None]:
    def write_whole(filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        with replacing(Path(filepath), follow=False) as aside:
            _require_room(aside, _size(model))
            write(str(aside), *args, **kwargs)

    return write_whole


def _size(model: Any) -> int:
    variables = [*model.variables, *model.optimizer.variables]
    values: int = sum(math.prod(variable.shape) * 8 for variable in variables)
    return _PER_FILE + len(variables) * _PER_VARIABLE + values


def _require_room(path: Path, size: int) -> None:
    """Allocate the room of a file, and free it again.

    Raises:
        OSError: The disk, a quota or a limit has less room.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(handle)
        path.unlink()


def keep_logs(callbacks: Sequence[Any]) -> None:
    """Keep each CSVLogger from emptying the file of a resumed run."""
    for logger in _loggers(callbacks):
        logger.append = True


def continue_logs(callbacks: Sequence[Any], epochs: int) -> None:
    """Cut the file of each CSVLogger to the epochs of the checkpoint, and open it."""
    for logger in _loggers(callbacks):
        path = Path(logger.filename)
        logger.csv_file.close()
        with path.open(encoding="utf-8", newline="") as file:
            lines = file.readlines()[: epochs + 1 if epochs else 0]
        with replacing(path, follow=False) as aside:
            aside.write_text("".join(lines), encoding="utf-8", newline="")
        logger.append_header = not lines
        logger.csv_file = path.open("a", encoding="utf-8")


def _loggers(callbacks: Sequence[Any]) -> Iterator[Any]:
    return (callback for callback in callbacks if isinstance(callback, keras.callbacks.CSVLogger))

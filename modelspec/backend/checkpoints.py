"""Everything that training goes on from: every variable, and what the callbacks remember.

A checkpoint is one npz file, written whole or not at all. Random numbers need nothing more: the
order of the samples follows from the seed and the epoch, and Keras's layers keep the state of
their generators in variables.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from modelspec.feed import Array
from modelspec.run import replacing

_KEPT = 2
_STATE = "state"
_MONITOR = "monitor_op"
_PLAIN = (bool, int, float, str, type(None))


def save_checkpoint(folder: Path, model: Any, callbacks: Sequence[Any], epoch: int) -> None:
    """Write the state after ``epoch`` finished epochs, and drop all but the newest two."""
    arrays = {f"variable/{index}": _array(each) for index, each in enumerate(_variables(model))}
    states = []
    for index, callback in enumerate(callbacks):
        plain, listed = _memory(callback)
        states.append({"plain": plain, "armed": getattr(callback, _MONITOR, None) is not None})
        for name, values in listed.items():
            for position, value in enumerate(values):
                arrays[f"callback/{index}/{name}/{position}"] = value
    state = {"epoch": epoch, "stopped": bool(model.stop_training), "callbacks": states}
    arrays[_STATE] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    folder.mkdir(exist_ok=True)
    with replacing(folder / f"epoch-{epoch:06}.npz") as aside, aside.open("wb") as file:
        named: dict[str, Any] = dict(arrays)
        np.savez(file, **named)
    for old in checkpoints(folder)[:-_KEPT]:
        old.unlink()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(folder.glob("epoch-*.npz"))


def restore(path: Path, model: Any, callbacks: Sequence[Any]) -> int:
    """Put a checkpoint's state into a model and its callbacks; the number of finished epochs.

    Raises:
        ValueError: where the checkpoint is of another model.
    """
    with np.load(path, allow_pickle=False) as stored:
        state = json.loads(stored[_STATE].tobytes())
        variables = _variables(model)
        if sum(name.startswith("variable/") for name in stored.files) != len(variables):
            raise ValueError(f"{path} is a checkpoint of another model")
        for index, variable in enumerate(variables):
            variable.assign(stored[f"variable/{index}"])
        for index, callback in enumerate(callbacks):
            remembered = state["callbacks"][index]
            if remembered["armed"] and getattr(callback, _MONITOR) is None:
                # Keras arms these at the first epoch's end, and turns the sign of min_delta then.
                callback._set_monitor_op()  # noqa: SLF001
            vars(callback).update(remembered["plain"])
            _restore_lists(callback, index, stored)
    model.stop_training = state["stopped"]
    return int(state["epoch"])


def _variables(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _array(variable: Any) -> Array:
    array: Array = keras.ops.convert_to_numpy(variable)
    # NumPy cannot store bfloat16; float32 holds each of its values exactly.
    return array if array.dtype.kind in "biufc" else array.astype(np.float32)


def _memory(callback: Any) -> tuple[dict[str, Any], dict[str, list[Array]]]:
    """A callback's attributes that can change in training: plain values, and lists of arrays."""
    plain = {
        name: float(value) if isinstance(value, np.floating) else value
        for name, value in vars(callback).items()
        if isinstance(value, (*_PLAIN, np.floating))
    }
    listed = {
        name: value
        for name, value in vars(callback).items()
        if isinstance(value, list) and value and all(isinstance(each, np.ndarray) for each in value)
    }
    return plain, listed


def _restore_lists(callback: Any, index: int, stored: Any) -> None:
    for name in _names(index, stored.files):
        prefix = f"callback/{index}/{name}/"
        count = sum(file.startswith(prefix) for file in stored.files)
        setattr(callback, name, [stored[f"{prefix}{position}"] for position in range(count)])


def _names(index: int, files: Sequence[str]) -> Iterator[str]:
    parts = (file.split("/") for file in files)
    yield from dict.fromkeys(part[2] for part in parts if part[:2] == ["callback", str(index)])

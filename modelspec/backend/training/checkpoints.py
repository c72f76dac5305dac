"""Everything that training goes on from: every variable, and what the callbacks remember.

A checkpoint is one npz file, written whole or not at all. Random numbers need nothing more: the
order of the samples follows from the seed and the epoch, and Keras's layers keep the state of
their generators in variables.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple
from zipfile import ZipFile

import keras
import numpy as np

from modelspec.backend.keras_private import choose_direction, has_direction
from modelspec.data.concatenated import Array
from modelspec.storage.atomic import replacing

_KEPT = 2
_STATE = "state"
_PLAIN = (bool, int, float, str, type(None))


class Position(NamedTuple):
    """How far a run has come: finished epochs; samples and seconds of the one after them."""

    epoch: int = 0
    samples: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class State:
    """What changes in training, and must be as it was when a run goes on.

    ``extra`` are variables that neither the model nor its optimizer holds. The model's metrics
    must have been built.

    Raises:
        MissingPartError: where the state of a callback cannot be told.
    """

    model: Any
    callbacks: Sequence[Any]
    extra: Sequence[Any] = ()

    def __post_init__(self) -> None:
        for callback in self.callbacks:
            has_direction(callback)  # before the first step: what cannot be told cannot be kept

    def variables(self) -> list[Any]:
        model = self.model
        return [*model.variables, *model.optimizer.variables, *self.extra, *model.metrics_variables]


def save_checkpoint(folder: Path, state: State, position: Position) -> None:
    """Write the state at a position, and drop all but the newest two."""
    arrays = {f"variable/{index}": _array(each) for index, each in enumerate(state.variables())}
    memories = []
    for index, callback in enumerate(state.callbacks):
        plain, listed = _memory(callback)
        memories.append({"plain": plain, "armed": has_direction(callback)})
        for name, values in listed.items():
            for at, value in enumerate(values):
                arrays[f"callback/{index}/{name}/{at}"] = _storable(value)
    stopped = bool(state.model.stop_training)
    about = {**position._asdict(), "stopped": stopped, "callbacks": memories}
    arrays[_STATE] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    folder.mkdir(exist_ok=True)
    with replacing(folder / _file(position)) as aside, aside.open("wb") as file:
        _write_npz(file, arrays)
    for old in checkpoints(folder)[:-_KEPT]:
        old.unlink()


def _write_npz(file: IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    """``numpy.savez``, which in some releases leaves the archive open where the disk is full."""
    with ZipFile(file, "w") as npz:
        for name, values in arrays.items():
            with npz.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)


def _file(position: Position) -> str:
    within = f"-{position.samples:012}" if position.samples else ""
    return f"epoch-{position.epoch:06}{within}.npz"


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(folder.glob("epoch-*.npz"), key=lambda path: path.stem.split("-")[1:])


def restore(path: Path, state: State) -> Position:
    """Put a checkpoint's values into the state; the position that it was written at.

    Raises:
        Exception: of any kind, where the file is damaged, or of another model. Some values may have
            been put in by then.
    """
    # NumPy itself would leave a damaged file open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        about = json.loads(stored[_STATE].tobytes())
        variables = state.variables()
        if sum(name.startswith("variable/") for name in stored.files) != len(variables):
            raise ValueError(f"{path} is a checkpoint of another model")
        for index, variable in enumerate(variables):
            variable.assign(stored[f"variable/{index}"])
        for index, callback in enumerate(state.callbacks):
            remembered = about["callbacks"][index]
            if remembered["armed"] and not has_direction(callback):
                # Keras arms these at the first epoch's end, and turns the sign of min_delta then.
                choose_direction(callback)
            vars(callback).update(remembered["plain"])
            _restore_lists(callback, index, stored)
    state.model.stop_training = about["stopped"]
    return Position(about["epoch"], about["samples"], about["seconds"])


def _array(variable: Any) -> Array:
    return _storable(keras.ops.convert_to_numpy(variable))


def _storable(array: Array) -> Array:
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

"""Checkpoints: every variable, and the state of the callbacks.

A checkpoint is one npz file, written completely or not at all. It contains no other random state,
because the order of the samples depends only on the seed and the epoch, and Keras's layers store
the state of their generators in variables.

A file is not trusted: all of it is read and compared with the model and its callbacks before
anything is assigned.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modelspec.backend.keras_private import has_direction
from modelspec.backend.training.callback_memory import Memory, recall, remember, require_fit
from modelspec.backend.training.checkpoint_arrays import (
    array_of,
    in_own_dtypes,
    read_member,
    storable,
    stored_dtype,
    write_npz,
)
from modelspec.backend.training.variables import all_variables
from modelspec.data.concatenated import Array
from modelspec.problems.errors import RunError
from modelspec.storage.atomic import replacing
from modelspec.storage.regular import open_regular

_KEPT = 2
_STATE = "state"
_STATE_LIMIT = 16 << 20
_MANY = 1 << 53


class Position(NamedTuple):
    """The position of a run: finished epochs; samples and seconds of the epoch after them."""

    epoch: int = 0
    samples: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class State:
    """The state that training changes, and that a resumed run continues with.

    ``extra`` are variables that belong neither to the model nor to its optimizer. The model's
    metrics must have been built.
    """

    model: Any
    callbacks: Sequence[Any]
    extra: Sequence[Any] = ()

    def __post_init__(self) -> None:
        for callback in self.callbacks:
            has_direction(callback)  # before the first step, to find missing parts of Keras early

    @cached_property
    def variables(self) -> Sequence[Any]:
        """All variables, cached, because the search in a large model takes a tenth of a second."""
        model = self.model
        listed = [*model.variables, *model.optimizer.variables, *self.extra]
        return all_variables([*listed, *model.metrics_variables], [model, model.optimizer])


@dataclass(frozen=True, slots=True)
class _Stored:
    """The contents of a checkpoint that fits the model."""

    position: Position
    stopped: bool
    values: Sequence[Array]
    memories: Sequence[Memory]


def save_checkpoint(folder: Path, state: State, position: Position) -> None:
    """Write the state at a position, and delete all but the newest two."""
    arrays = {
        f"variable/{index}": array_of(variable) for index, variable in enumerate(state.variables)
    }
    callbacks = []
    for index, memory in enumerate(map(remember, state.callbacks)):
        lengths = {name: len(values) for name, values in memory.weights.items()}
        callbacks.append({"plain": memory.numbers, "armed": memory.armed, "weights": lengths})
        for name, values in memory.weights.items():
            for at, value in enumerate(values):
                arrays[f"callback/{index}/{name}/{at}"] = storable(value)
    stopped = bool(state.model.stop_training)
    about = {**position._asdict(), "stopped": stopped, "callbacks": callbacks}
    arrays[_STATE] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    folder.mkdir(exist_ok=True)
    with replacing(folder / _file(position), follow=False) as aside, aside.open("wb") as file:
        write_npz(file, arrays)
    for old in checkpoints(folder)[:-_KEPT]:
        old.unlink()


def _file(position: Position) -> str:
    within = f"-{position.samples:012}" if position.samples else ""
    return f"epoch-{position.epoch:06}{within}.npz"


def _require_name(path: Path, position: Position) -> None:
    if path.name != _file(position):
        raise ValueError(f"it was written as {_file(position)}")


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    return sorted(folder.glob("epoch-*.npz"), key=lambda path: path.stem.split("-")[1:])


def restore(path: Path, state: State) -> Position:
    """Assign a checkpoint's values to the state; return the position at which it was written.

    Raises:
        Exception: Of any kind, if the file is damaged or of another model; nothing was assigned.
    """
    variables = state.variables
    # NumPy would leave a damaged file open.
    with (
        open(open_regular(path), "rb") as file,  # noqa: PTH123 - a descriptor, not a path
        np.load(file, allow_pickle=False) as npz,
    ):
        stored = _read(npz, state, variables)
    _require_name(path, stored.position)
    for variable, value in zip(variables, stored.values, strict=True):
        variable.assign(value)
    for callback, memory in zip(state.callbacks, stored.memories, strict=True):
        recall(callback, memory)
    state.model.stop_training = stored.stopped
    return stored.position


def restore_weights(folder: Path, model: Any) -> Position:
    """Assign the weights of the newest readable checkpoint to a built model.

    Raises:
        RunError: There is no such checkpoint.
    """
    reason = "it has no checkpoint yet"
    for path in reversed(checkpoints(folder)):
        try:
            with (
                open(open_regular(path), "rb") as file,  # noqa: PTH123 - a descriptor, not a path
                np.load(file, allow_pickle=False) as npz,
            ):
                position = _position(json.loads(read_member(npz, _STATE, _STATE_LIMIT).tobytes()))
                _require_name(path, position)
                # The variables of the model are the first of a checkpoint.
                values = [_value(npz, index, item) for index, item in enumerate(model.variables)]
        except Exception as error:  # noqa: BLE001 - readers raise any type for damaged files
            reason = f"{path} cannot be read: {error}"
            continue
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
        return position
    raise RunError(f"{folder.parent} has no model: {reason}")


def _read(npz: Any, state: State, variables: Sequence[Any]) -> _Stored:
    if sum(name.startswith("variable/") for name in npz.files) != len(variables):
        raise ValueError("it is a checkpoint of another model")
    about = json.loads(read_member(npz, _STATE, _STATE_LIMIT).tobytes())
    match about:
        case {"stopped": bool(stopped)}:
            pass
        case _:
            raise ValueError("its state does not say whether training had ended")
    values = [_value(npz, index, variable) for index, variable in enumerate(variables)]
    return _Stored(_position(about), stopped, values, _memories(npz, about, state))


def _position(about: Mapping[str, Any]) -> Position:
    match about:
        case {"epoch": int(epoch), "samples": int(samples), "seconds": int() | float() as seconds}:
            position = Position(epoch, samples, seconds)
        case _:
            raise ValueError("its position is not valid")
    if any(isinstance(value, bool) or not 0 <= value < _MANY for value in position):
        raise ValueError(f"its position is impossible: {position}"[:200])
    return position


def _value(npz: Any, index: int, variable: Any) -> Array:
    shape, dtype = tuple(variable.shape), stored_dtype(variable)
    array = read_member(npz, f"variable/{index}", math.prod(shape) * dtype.itemsize)
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"variable {index} is {array.dtype} {array.shape}, but the model's is {dtype} {shape}"
        )
    return array


def _memories(npz: Any, about: Mapping[str, Any], state: State) -> list[Memory]:
    written = about.get("callbacks")
    if not isinstance(written, list) or len(written) != len(state.callbacks):
        raise ValueError("its callbacks differ from those of the spec")
    memories = [_memory(npz, index, value, state) for index, value in enumerate(written)]
    for callback, memory in zip(state.callbacks, memories, strict=True):
        require_fit(callback, memory, state.model)
    return memories


def _memory(npz: Any, index: int, written: Any, state: State) -> Memory:
    match written:
        case {"plain": dict(numbers), "armed": bool(armed), "weights": dict(lengths)}:
            pass
        case _:
            raise ValueError(f"the state of callback {index + 1} is not valid")
    kept = state.model.get_weights()
    if any(length != len(kept) for length in lengths.values()):
        raise ValueError(f"callback {index + 1} remembers weights of another model")
    weights = {
        name: [
            read_member(npz, f"callback/{index}/{name}/{at}", weight.size * max(4, weight.itemsize))
            for at, weight in enumerate(kept)
        ]
        for name in lengths
    }
    return Memory(numbers, armed, in_own_dtypes(weights, kept))

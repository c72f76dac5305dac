"""The times at which a run saves its history and checkpoints, always together."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from modelspec.backend.training.checkpoints import (
    Position,
    State,
    checkpoints,
    restore,
    save_checkpoint,
)
from modelspec.problems.errors import RunError
from modelspec.runs.layout import CHECKPOINTS, HISTORY
from modelspec.runs.run import Run

_SECOND = 1.0
"""Shorter epochs share a checkpoint, because more would cost short runs more time than they save.

A new run saves more often, so that an interruption costs at most half of it.
"""


class Checkpointer:
    """Saves a run: after its epochs, and every ``seconds`` within one.

    ``warn`` is called for unreadable checkpoints. ``writes`` is false for all workers but one,
    because every worker has the same state.
    """

    def __init__(
        self,
        run: Run,
        state: State,
        seconds: float,
        warn: Callable[[str], None],
        *,
        writes: bool = True,
    ) -> None:
        self._run, self._state, self._seconds, self._warn = run, state, seconds, warn
        self._writes = writes
        self._folder = run.path / CHECKPOINTS
        self._pending: list[Mapping[str, Any]] = []
        self._began = self._last = time.monotonic()

    @property
    def history(self) -> list[dict[str, Any]]:
        """The epochs that are on the disk."""
        return self._run.history

    def restore(self) -> Position:
        """Restore the newest readable checkpoint; return the start where there is none at all.

        Raises:
            RunError: There are checkpoints, but none is readable; or the history lacks epochs.
        """
        position = self._newest()
        if len(self.history) < position.epoch:
            raise RunError(
                f"{self._run.path / HISTORY} has {len(self.history):,} epochs, but the checkpoint "
                f"was written after {position.epoch:,}: start in another folder"
            )
        self._run.forget_after(position.epoch)
        return position

    def _newest(self) -> Position:
        damaged = []
        for path in reversed(checkpoints(self._folder)):
            try:
                position = restore(path, self._state)
            except Exception as error:  # noqa: BLE001 - readers raise any type for damaged files
                damaged.append(f"{path} cannot be read: {error}")
            else:
                for problem in damaged:
                    self._warn(f"{problem}; continuing from the previous one")
                return position
        if damaged:
            raise RunError(
                f"{damaged[0]}; there is no other readable checkpoint: start in another folder"
            )
        return Position()

    def epoch_finished(self, record: Mapping[str, Any], *, last: bool) -> None:
        """Save an epoch now, or later where epochs are short."""
        self._pending.append(record)
        if last or time.monotonic() - self._last >= min(_SECOND, self._last - self._began):
            self.keep(Position(record["epoch"]))

    def inside(self, position: Position) -> None:
        """Save a position within an epoch if the last checkpoint is old."""
        if time.monotonic() - self._last >= self._seconds:
            self.keep(position)

    def keep(self, position: Position) -> None:
        """Write what is not on the disk yet, the history first, because a resume cuts it back."""
        self.keep_history()
        if self._writes:
            save_checkpoint(self._folder, self._state, position)
        self._last = time.monotonic()

    def keep_history(self) -> None:
        """Write the epochs that are only in memory, even if their state cannot be saved."""
        if self._pending:
            self._run.append(self._pending)
            self._pending = []

"""Listeners of a training: one records messages, two stop the run as Ctrl-C does."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelspec.problems.problem import Problem
from modelspec.runs.progress import NullListener


class Recorder(NullListener):
    """Records notes, warnings and problems."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.reported: list[Problem] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def problems(self, problems: Sequence[Problem]) -> None:
        self.reported += problems


class StopAfter(NullListener):
    """Stops at the end of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def epoch_finished(self, record: Mapping[str, Any]) -> None:
        if record["epoch"] == self.epoch:
            raise KeyboardInterrupt


class StopBefore(NullListener):
    """Stops at the start of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
        del epochs, samples
        if epoch == self.epoch:
            raise KeyboardInterrupt

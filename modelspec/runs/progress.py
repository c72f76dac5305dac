"""Who is told how training goes: a live table, plain lines, or nobody."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from modelspec.problems.problem import Problem


class Listener(Protocol):
    """Called as training goes; ``epoch`` counts from 1."""

    def training_started(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Before the first epoch; ``history`` has the records of those that a resumed run has."""

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None: ...

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None: ...

    def epoch_finished(self, record: Mapping[str, Any]) -> None: ...

    def problems(self, found: Sequence[Problem]) -> None:
        """Warnings about the data, at their places."""

    def note(self, text: str) -> None:
        """Something worth knowing, on one line."""

    def warn(self, text: str) -> None:
        """Something that is probably not meant, on one line."""


class NullListener:
    """A listener that tells nobody."""

    def training_started(self, history: Sequence[Mapping[str, Any]]) -> None: ...

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None: ...

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None: ...

    def epoch_finished(self, record: Mapping[str, Any]) -> None: ...

    def problems(self, found: Sequence[Problem]) -> None: ...

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

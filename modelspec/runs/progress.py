"""Listeners to the progress of training."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from modelspec.problems.problem import Problem
from modelspec.results.weights import Account


class Listener(Protocol):
    """Receives the progress of training; ``epoch`` starts at 1."""

    def training_started(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Called before the first epoch; ``history`` has the records of a resumed run."""

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None: ...

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None: ...

    def epoch_finished(self, record: Mapping[str, Any]) -> None: ...

    def problems(self, problems: Sequence[Problem]) -> None:
        """Called with the warnings about the data."""

    def weights(self, account: Account) -> None:
        """Called with the source of each layer's weights, where the spec names weights."""

    def note(self, text: str) -> None:
        """Called with information, on one line."""

    def warn(self, text: str) -> None:
        """Called with a warning, on one line."""


class NullListener:
    """A listener that does nothing."""

    def training_started(self, history: Sequence[Mapping[str, Any]]) -> None: ...

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None: ...

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None: ...

    def epoch_finished(self, record: Mapping[str, Any]) -> None: ...

    def problems(self, problems: Sequence[Problem]) -> None: ...

    def weights(self, account: Account) -> None: ...

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

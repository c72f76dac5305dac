"""Who is told how training goes: a live table, plain lines, or nobody."""

from collections.abc import Mapping
from typing import Any, Protocol


class Watcher(Protocol):
    """Called as training goes; ``epoch`` counts from 1."""

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None: ...

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None: ...

    def epoch_finished(self, record: Mapping[str, Any]) -> None: ...

    def note(self, text: str) -> None:
        """Something worth knowing, on one line."""


class Silent:
    """A watcher that tells nobody."""

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None: ...

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None: ...

    def epoch_finished(self, record: Mapping[str, Any]) -> None: ...

    def note(self, text: str) -> None: ...

"""Speed of training, and estimated remaining time."""

import time
from collections.abc import Callable

_NEW = 0.3


class Pace:
    """Samples per second, and the seconds left of the epoch and of the run; None until known."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.epoch = self.epochs = self.samples = self.done = 0
        self.rate: float | None = None
        self.epoch_seconds: float | None = None
        self._first = (0, 0.0)

    def start(self, epoch: int, epochs: int, samples: int) -> None:
        self.epoch, self.epochs, self.samples, self.done = epoch, epochs, samples, 0
        # The first call of a process compiles its steps, and does not show the speed of later
        # calls.
        self._first = (0, self._clock()) if self.epoch_seconds is not None else (-1, 0.0)

    def advance(self, done: int) -> None:
        self.done = done
        before, since = self._first
        if before < 0:
            self._first = (done, self._clock())
        elif done > before:
            self.rate = (done - before) / max(self._clock() - since, 1e-9)

    def finish(self, seconds: float) -> None:
        """Add an epoch's time, including validation; the latest epochs count most."""
        old = self.epoch_seconds
        self.epoch_seconds = seconds if old is None else old + _NEW * (seconds - old)

    @property
    def epoch_left(self) -> float | None:
        return (self.samples - self.done) / self.rate if self.rate else None

    @property
    def run_left(self) -> float | None:
        whole = self.epoch_seconds
        if whole is None:
            whole = self.samples / self.rate if self.rate else None
        now = self.epoch_left
        if whole is None or now is None:
            return None
        return now + whole * (self.epochs - self.epoch)

    @property
    def share(self) -> float:
        """The finished part of the epoch, 0 to 1."""
        return self.done / self.samples if self.samples else 0.0

    @property
    def run_share(self) -> float:
        return (self.epoch - 1 + self.share) / self.epochs if self.epochs else 0.0


def duration(seconds: float) -> str:
    """Format ``0:07``, ``12:30`` or ``3:05:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

"""Progress of training: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rich.console import Console

from modelspec.problems.problem import Problem
from modelspec.report.problems import print_problems
from modelspec.report.weights import print_account
from modelspec.results.weights import Account
from modelspec.runs.progress import Listener, NullListener


class Screen(Listener, Protocol):
    """A listener that uses the terminal until it is closed; ``samples`` are those of an epoch."""

    @property
    def samples(self) -> int: ...

    def close(self) -> None: ...


def make_listener(console: Console, *, quiet: bool = False) -> Screen:
    if quiet:
        return Quiet(console)
    if console.is_terminal and not console.is_dumb_terminal:
        from modelspec.report.live import LiveTable

        return LiveTable(console)
    return Lines(console)


class Quiet(NullListener):
    """Prints only warnings."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.samples = 0

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
        del epoch, epochs
        self.samples = samples

    def problems(self, problems: Sequence[Problem]) -> None:
        print_problems(self._console, problems)

    def warn(self, text: str) -> None:
        self._write(f"warning: {text}")

    def close(self) -> None: ...

    def _write(self, line: str) -> None:
        """Write a line without rich, which would take as long as a short epoch."""
        self._console.file.write(f"{line}\n")
        self._console.file.flush()


class Lines(Quiet):
    """One line for each finished epoch."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._epochs = 0

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
        super().epoch_started(epoch, epochs, samples)
        self._epochs = epochs

    def epoch_finished(self, record: Mapping[str, Any]) -> None:
        values = logs_text(record)
        self._write(f"epoch {record['epoch']}/{self._epochs}  {values}  {record['seconds']} s")

    def weights(self, account: Account) -> None:
        print_account(self._console, account)

    def note(self, text: str) -> None:
        self._write(f"note: {text}")


def logs_text(logs: Mapping[str, Any]) -> str:
    return "  ".join(
        f"{name} {value:.4g}" for name, value in logs.items() if name not in {"epoch", "seconds"}
    )

"""Training as it goes: a live bar on a terminal, plain lines elsewhere."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


def watcher_for(console: Console) -> "Lines":
    return Bars(console) if console.is_terminal else Lines(console)


class Lines:
    """One line for each finished epoch."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.epochs = 0

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
        del epoch, samples
        self.epochs = epochs

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None: ...

    def epoch_finished(self, record: Mapping[str, Any]) -> None:
        line = f"epoch {record['epoch']}/{self.epochs}  {logs_text(record)}  {record['seconds']} s"
        self.console.print(line, highlight=False, soft_wrap=not self.console.is_terminal)

    def note(self, text: str) -> None:
        self.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None: ...


class Bars(Lines):
    """The epoch that is running as a bar, the finished ones as lines above it."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            TextColumn("{task.fields[logs]}"),
        )
        self.progress = Progress(*columns, console=console, transient=True)
        self.task: TaskID | None = None

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
        super().epoch_started(epoch, epochs, samples)
        if self.task is None:
            self.progress.start()
            self.task = self.progress.add_task("", total=samples, logs="")
        self.progress.reset(
            self.task, total=samples, logs="", description=f"epoch {epoch}/{epochs}"
        )

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None:
        if self.task is not None:
            self.progress.update(self.task, completed=done, logs=logs_text(logs))

    def close(self) -> None:
        self.progress.stop()


def logs_text(logs: Mapping[str, Any]) -> str:
    return "  ".join(
        f"{name} {value:.4g}" for name, value in logs.items() if name not in {"epoch", "seconds"}
    )

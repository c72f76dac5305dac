"""Training on a terminal: one row for each finished epoch, and the running epoch below."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from modelspec.problems.problem import Problem
from modelspec.report.epochs import GAP, EpochTable, OutputTable
from modelspec.report.pace import Pace, duration
from modelspec.report.problems import print_problems
from modelspec.report.weights import print_account
from modelspec.results.weights import Account
from modelspec.runs.history import VALIDATION, Best, groups
from modelspec.runs.history import best as best_of

_REFRESHES = 5
_BAR = range(10, 41)
# Epochs shorter than this share one bar for the whole run, in seconds.
_SHORT = 1.0
# Rows that come faster than one in this many seconds are thinned out, unless they are few.
_ROW_EVERY = 0.25
_FEW_EPOCHS = 50
_STRIDES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class LiveTable:
    """A listener that prints epochs as rows, and draws the running one below them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running = Running()
        self._live = _Reflowing(self._running, console)
        self._waiting: Mapping[str, Any] | None = None
        self._header: list[Text] = []
        self._rows = 0

    @property
    def samples(self) -> int:
        return self._running.pace.samples

    def training_started(self, history: Sequence[Mapping[str, Any]]) -> None:
        for record in history:
            self._running.finish(record)

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
        self._running.start(epoch, epochs, samples)
        if not self._live.is_started:
            self._live.start()

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None:
        self._running.advance(done, logs)

    def epoch_finished(self, record: Mapping[str, Any]) -> None:
        pace = self._running.pace
        pace.finish(record["seconds"])
        self._running.finish(record)
        self._waiting = record
        self._thin(pace.epochs, pace.epoch_seconds or 0.0)
        if record["epoch"] % self._running.stride == 0 or record["epoch"] in {1, pace.epochs}:
            self._print_row(record)

    def problems(self, problems: Sequence[Problem]) -> None:
        print_problems(self._console, problems)

    def weights(self, account: Account) -> None:
        print_account(self._console, account)

    def note(self, text: str) -> None:
        self._print_text(Text(f"note: {text}"))

    def warn(self, text: str) -> None:
        self._print_text(Text(f"warning: {text}", style="yellow"))

    def _print_text(self, text: Text) -> None:
        """Print text with breaks between words; rows of the table fit, and are not broken."""
        self._console.print(text, highlight=False)

    def close(self) -> None:
        if self._waiting is not None:
            self._print_row(self._waiting)
        self._live.stop()

    def _thin(self, epochs: int, seconds: float) -> None:
        if epochs > _FEW_EPOCHS:
            enough = (stride for stride in _STRIDES if stride * seconds >= _ROW_EVERY)
            self._running.stride = next(enough, _STRIDES[-1])

    def _print_row(self, record: Mapping[str, Any]) -> None:
        self._waiting = None
        table = self._running.table(self._console.width)
        header = table.header()
        if header != self._header or self._rows >= self._console.height - len(header) - 4:
            self._print(*header)
            self._header, self._rows = header, 0
            self._running.headed = header
        best_now = self._running.best
        is_best = best_now is not None and best_now.epoch == record["epoch"]
        self._print(table.row(record, best=is_best))
        self._rows += 1

    def _print(self, *lines: Text) -> None:
        if self._live.is_started:
            self._live.refresh()
        for line in lines:
            self._console.print(line, highlight=False, soft_wrap=True)


class Running:
    """The running epoch: its row, a bar, and the outputs if the row has no room for them."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.best: Best | None = None
        self.stride = 1
        self.headed: list[Text] = []
        self.widths: list[int] = []
        self._last: Mapping[str, Any] = {}
        self._logs: Mapping[str, Any] = {}
        self._tables: tuple[Any, EpochTable, OutputTable] | None = None

    def start(self, epoch: int, epochs: int, samples: int) -> None:
        self._logs = {}
        self.pace.start(epoch, epochs, samples)

    def advance(self, done: int, logs: Mapping[str, Any]) -> None:
        self._logs = logs
        self.pace.advance(done)

    def finish(self, record: Mapping[str, Any]) -> None:
        """Add a finished epoch, of this process or of one before it."""
        self._last, self._logs = record, {}
        latest, known = best_of([record]), self.best
        if latest and (known is None or known.name != latest.name or latest.value < known.value):
            self.best = latest

    def table(self, width: int) -> EpochTable:
        return self._fitted(width)[0]

    def _fitted(self, width: int) -> tuple[EpochTable, OutputTable]:
        """Return the tables for a width, created again after changes of the width or the names."""
        epochs, names = self.pace.epochs, tuple(self._last or self._logs)
        if self._tables is None or self._tables[0] != (width, epochs, names):
            grouped = groups(names)
            tables = EpochTable(grouped, epochs, width), OutputTable(grouped, width)
            self._tables = ((width, epochs, names), *tables)
        return self._tables[1:]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = list(self.lines(options.max_width, ascii_only=options.ascii_only))
        for line in lines:
            line.truncate(options.max_width)
        self.widths = [line.cell_len for line in lines]
        yield Text("\n", end="").join(lines)

    def lines(self, width: int, *, ascii_only: bool = False) -> Iterator[Text]:
        epochs, outputs = self._fitted(width)
        if self._logs:
            if self.headed != epochs.header():
                yield from epochs.header()
            yield epochs.row({**self._logs, "epoch": self.pace.epoch})
        yield from self._bar(width, "=-" if ascii_only else "━─")
        if not epochs.is_complete and outputs.rows > 1:
            yield from outputs.lines({**self._last, **self._logs})

    def _bar(self, width: int, strokes: str) -> Iterator[Text]:
        pace = self.pace
        is_short = pace.epoch_seconds is not None and pace.epoch_seconds < _SHORT
        share = pace.run_share if is_short else pace.share
        head, tail = f"epoch {pace.epoch}/{pace.epochs} ", f" {share:4.0%}"
        below = ""
        for text in self._facts(is_short=is_short):
            if len(head) + _BAR[0] + len(tail) + len(text) <= width:
                tail += text
            else:
                below += text
        size = min(max(width - len(head) - len(tail), _BAR[0]), _BAR[-1])
        done = round(size * share)
        bar = (strokes[0] * done, "green"), (strokes[1] * (size - done), "dim")
        yield Text.assemble(head, *bar, tail)
        if below:
            yield Text(below.strip())

    def _facts(self, *, is_short: bool) -> Iterator[str]:
        """Yield samples per second, the time left and the best epoch, the most important first."""
        pace = self.pace
        if not is_short and pace.done >= pace.samples and f"{VALIDATION}loss" in self._last:
            yield f"{GAP}validating"
        elif pace.rate:
            yield f"{GAP}{pace.rate:,.0f} samples/s"
        if pace.run_left is not None and pace.epoch_left is not None:
            run = duration(pace.run_left)
            is_one = is_short or pace.epoch == pace.epochs
            yield f"{GAP}{run if is_one else duration(pace.epoch_left)} left"
            yield "" if is_one else f" (run {run})"
        if self.best is not None:
            best = self.best
            yield f"{GAP}best: epoch {best.epoch}, {best.name} {best.value:#.4g}"
        if self.stride > 1:
            yield f"{GAP}one row in {self.stride} epochs"


class _Reflowing(Live):
    """A live display that keeps its place when the terminal becomes narrower.

    Terminals wrap the lines that no longer fit; they are cleared before the next ones are drawn.
    """

    def __init__(self, running: Running, console: Console) -> None:
        super().__init__(running, console=console, refresh_per_second=_REFRESHES, transient=True)
        self._drawn = running

    def refresh(self) -> None:
        width = self.console.width
        more = sum((length - 1) // width for length in self._drawn.widths if length > width)
        if more:
            up = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
            self.console.control(Control(ControlType.CARRIAGE_RETURN, *up * more))
        super().refresh()

"""Epochs as table rows that fit the width of the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.text import Text

from modelspec.runs.history import VALIDATION, Group

GAP = "  "
_NUMBER = 8
_LOSS = "loss"
_SHARE = "share"
_SECONDS = "seconds"
_WHOLE_SECONDS = 1000
_WHOLE = "total"


@dataclass(frozen=True, slots=True)
class Column:
    """One value of each record: ``label`` is its heading, under the name of its output."""

    output: str
    label: str
    name: str

    @property
    def width(self) -> int:
        return max(len(self.label), _NUMBER)

    def cell(self, record: Mapping[str, Any]) -> str:
        return cell(self.label, record.get(self.name)).rjust(self.width)


def cell(label: str, value: Any) -> str:
    """Return a value in at most nine places; an empty text for a missing one."""
    if value is None:
        return ""
    if label.removeprefix(VALIDATION) == _SHARE:
        return f"{value:.0%}"
    text = f"{value:#.4g}".removesuffix(".")
    return text if len(text) <= _NUMBER else f"{value:.2e}"


class EpochTable:
    """The columns that fit into a width, the most important ones first."""

    def __init__(self, groups: Sequence[Group], epochs: int, width: int) -> None:
        self.epochs = epochs
        self._epoch_width = max(len("epoch"), 2 * len(str(epochs)) + 1)
        # The mark of the best epoch, the epoch, and its seconds.
        fixed = 2 + self._epoch_width + len(GAP) + _NUMBER
        self.columns = fitting(groups, width - fixed)
        self.is_complete = len(self.columns) == sum(len(group.names) for group in groups)

    def header(self) -> list[Text]:
        """Return the headings; with several outputs, their names above."""
        labels = [column.label.rjust(column.width) for column in self.columns]
        lines = [self._line("", "epoch", labels, _SECONDS)]
        if any(column.output for column in self.columns):
            lines.insert(0, self._outputs())
        return [Text(line, style="bold") for line in lines]

    def _outputs(self) -> str:
        parts = [" " * (2 + self._epoch_width)]
        for output, columns in groupby(self.columns, lambda column: column.output):
            widths = [column.width + len(GAP) for column in columns]
            parts.append(_over(output, sum(widths) - len(GAP)))
        return GAP.join(parts).rstrip()

    def row(self, record: Mapping[str, Any], *, best: bool = False) -> Text:
        """Return the row of an epoch, running or finished; the best one so far is marked."""
        cells = [column.cell(record) for column in self.columns]
        seconds = record.get(_SECONDS)
        took = "" if seconds is None else f"{seconds:.{3 if seconds < _WHOLE_SECONDS else 0}f}"
        line = self._line("*" if best else "", f"{record['epoch']}/{self.epochs}", cells, took)
        return Text(line, style="green" if best else "")

    def _line(self, mark: str, epoch: str, cells: Sequence[str], seconds: str) -> str:
        first = mark.ljust(2) + epoch.rjust(self._epoch_width)
        return GAP.join([first, *cells, seconds.rjust(_NUMBER)]).rstrip()


class OutputTable:
    """One row for each output, if there is no room for all of them in one line."""

    def __init__(self, groups: Sequence[Group], width: int) -> None:
        self._groups = groups
        self.rows = len(groups)
        self._first = max((len(group.output or _WHOLE) for group in groups), default=0)
        labels = dict.fromkeys(label for group in groups for label in group.names)
        left = width - self._first
        self._columns = []
        for label in sorted(labels, key=lambda label: label.startswith(VALIDATION)):
            column = Column("", label, label)
            left -= column.width + len(GAP)
            if left >= 0:
                self._columns.append(column)

    def lines(self, record: Mapping[str, Any]) -> list[Text]:
        """Return the headings, and the values of a record by output."""
        labels = [column.label.rjust(column.width) for column in self._columns]
        heading = GAP.join([" " * self._first, *labels])
        return [Text(heading, style="bold"), *(self._row(group, record) for group in self._groups)]

    def _row(self, group: Group, record: Mapping[str, Any]) -> Text:
        values = {label: record.get(name) for label, name in group.names.items()}
        cells = [column.cell(values) for column in self._columns]
        return Text(GAP.join([(group.output or _WHOLE).ljust(self._first), *cells]).rstrip())


def fitting(groups: Sequence[Group], width: int) -> list[Column]:
    """Return the columns that fit, in the order of the groups; of one rank all or none."""
    columns = [
        Column(group.output, label, name) for group in groups for label, name in group.names.items()
    ]
    ranks = {column: _rank(column, columns) for column in columns}
    chosen: set[Column] = set()
    for _, columns_of_rank in groupby(sorted(columns, key=ranks.__getitem__), ranks.__getitem__):
        rank = list(columns_of_rank)
        needed = sum(column.width + len(GAP) for column in rank)
        if needed <= width:
            width -= needed
            chosen.update(rank)
    return [column for column in columns if column in chosen]


def _rank(column: Column, columns: Sequence[Column]) -> tuple[int, int, bool]:
    """Rank the whole model's loss, the outputs' losses, then metrics in the same order."""
    bare = column.label.removeprefix(VALIDATION)
    validation = bare != column.label
    if bare == _LOSS and not (column.output and validation):
        return (1, 0, validation) if column.output else (0, 0, validation)
    if not column.output:
        return 2, [measure.label for measure in columns].index(bare), validation
    return 3, 0 if bare == _SHARE else 1 if not validation else 2, bare != _LOSS


def _over(output: str, width: int) -> str:
    """Return an output's name over its columns."""
    if len(output) + 4 <= width:
        return f" {output} ".center(width, "─") if output else " " * width
    return (output if len(output) <= width else f"{output[: width - 1]}…").rjust(width)

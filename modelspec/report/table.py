"""Rows as a table on a terminal, or as plain text, CSV or Markdown in a pipe."""

import csv
import io
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from modelspec.report.prose import print_prose

Row = Sequence[str]

_GAP = "  "
_BETWEEN = 3
"""The text between two columns of a table: a space, its separator, a space."""

_PROSE = 20
"""The least width for prose."""


def print_table(
    console: Console,
    header: Row,
    rows: Sequence[Row],
    numeric: set[int],
    *,
    prose: frozenset[int] = frozenset(),
) -> None:
    """Print a table; in a pipe, plain columns as wide as their contents.

    On a terminal that is too narrow, the widest columns are left out and named, because names and
    numbers are not broken. The first column always stays; those of ``prose`` are wrapped between
    words.
    """
    if not console.is_terminal:
        console.print(_plain(header, rows, numeric), markup=False, soft_wrap=True, end="")
        return
    shown = _fitting(header, rows, console.width, prose)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index in shown:
        justify: JustifyMethod = "right" if index in numeric else "left"
        table.add_column(Text(header[index]), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[index]) for index in shown))
    console.print(table)
    if left_out := [name for index, name in enumerate(header) if index not in shown]:
        note = f"not shown at this width: {', '.join(left_out)}"
        print_prose(console, note, style="dim")


def _fitting(header: Row, rows: Sequence[Row], width: int, prose: frozenset[int]) -> list[int]:
    """Return the columns that fit into a width unbroken, by index."""
    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    widths = [min(size, _PROSE) if index in prose else size for index, size in enumerate(widths)]
    shown = list(range(len(header)))
    while len(shown) > 1 and sum(widths[index] + _BETWEEN for index in shown) - _BETWEEN > width:
        shown.remove(max(shown[1:], key=lambda index: widths[index]))
    return shown


def _plain(header: Row, rows: Sequence[Row], numeric: set[int]) -> str:
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(_plain_line(line, widths, numeric) for line in lines)


def _plain_line(line: Row, widths: Sequence[int], numeric: set[int]) -> str:
    cells = (
        cell.rjust(width) if index in numeric else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    return _GAP.join(cells).rstrip() + "\n"


def as_csv(header: Row, rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(header: Row, rows: Sequence[Row], numeric: set[int]) -> str:
    rules = ["---:" if index in numeric else "---" for index in range(len(header))]
    lines = [header, rules, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)

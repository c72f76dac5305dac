"""Rows as a table on a terminal, or as plain text, CSV or Markdown in a pipe."""

import csv
import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Sequence[str]


def print_table(console: Console, header: Row, rows: Sequence[Row], numeric: set[int]) -> None:
    """A table; in a pipe plain columns as wide as their contents."""
    if not console.is_terminal:
        console.print(_plain(header, rows, numeric), markup=False, soft_wrap=True, end="")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index, name in enumerate(header):
        if index in numeric:
            table.add_column(Text(name), justify="right", overflow="fold")
        else:
            table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _plain(header: Row, rows: Sequence[Row], numeric: set[int]) -> str:
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(_plain_line(line, widths, numeric) for line in lines)


def _plain_line(line: Row, widths: Sequence[int], numeric: set[int]) -> str:
    cells = (
        cell.rjust(width) if index in numeric else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join(cells).rstrip() + "\n"


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

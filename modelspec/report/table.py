"""Rows as a table on a terminal, or as plain text, CSV or Markdown in a pipe."""

import csv
import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

Row = Sequence[str]


def print_table(console: Console, header: Row, rows: Sequence[Row], numeric: set[int]) -> None:
    """A table; in a pipe as wide as its contents, without colours or rules that need Unicode."""
    terminal = console.is_terminal
    table = Table(
        box=box.SIMPLE_HEAD if terminal else None,
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )
    for index, name in enumerate(header):
        table.add_column(
            name,
            justify="right" if index in numeric else "left",
            overflow="fold",
            no_wrap=not terminal,
        )
    for row in rows:
        table.add_row(*row)
    console.print(table)


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

"""Rows as a table on a terminal, or as plain text, CSV or Markdown in a pipe."""

import csv
import io
import re
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

    On a terminal that is too narrow, the names of columns are broken at spaces and underscores. If
    that is not enough, the widest columns are left out and named, because cells are not broken. The
    first column always stays; those of ``prose`` are wrapped between words.
    """
    if not console.is_terminal:
        console.print(_plain(header, rows, numeric), markup=False, soft_wrap=True, end="")
        return
    names = _narrowed(header, rows, console.width, prose)
    shown = _fitting(names, rows, console.width, prose)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index in shown:
        justify: JustifyMethod = "right" if index in numeric else "left"
        table.add_column(Text(names[index]), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[index]) for index in shown))
    console.print(table)
    if left_out := [name for index, name in enumerate(header) if index not in shown]:
        note = f"not shown at this width: {', '.join(left_out)}"
        print_prose(console, note, style="dim")


def _fitting(header: Row, rows: Sequence[Row], width: int, prose: frozenset[int]) -> list[int]:
    """Return the columns that fit into a width unbroken, by index."""
    widths = _widths(header, rows, prose)
    shown = list(range(len(header)))
    while len(shown) > 1 and _total([widths[index] for index in shown]) > width:
        shown.remove(max(shown[1:], key=lambda index: widths[index]))
    return shown


def _widths(header: Row, rows: Sequence[Row], prose: frozenset[int]) -> list[int]:
    lines = [max(map(cell_len, name.split("\n"))) for name in header]
    cells = [max(map(cell_len, column), default=0) for column in zip(*rows, strict=True)] or lines
    widths = map(max, lines, cells)
    return [min(size, _PROSE) if index in prose else size for index, size in enumerate(widths)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _BETWEEN * (len(widths) - 1)


def _narrowed(header: Row, rows: Sequence[Row], width: int, prose: frozenset[int]) -> list[str]:
    """Return the names of the columns, broken into lines as far as a width asks for it."""
    names = list(header)
    least = _widths([""] * len(header), rows, prose)
    broken = [_broken(name, size) for name, size in zip(header, least, strict=True)]
    saved = [
        before - after
        for before, after in zip(
            _widths(header, rows, prose), _widths(broken, rows, prose), strict=True
        )
    ]
    for index in sorted(range(len(header)), key=saved.__getitem__, reverse=True):
        if saved[index] and _total(_widths(names, rows, prose)) > width:
            names[index] = broken[index]
    return names


def _broken(name: str, width: int) -> str:
    """Break a name after spaces and underscores into lines of a width, or of its longest part."""
    parts = re.findall(r"[^_\s]*[_\s]*", name)
    width = max(width, *(cell_len(part.rstrip()) for part in parts))
    lines = [""]
    for part in parts:
        if cell_len((lines[-1] + part).rstrip()) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(line.rstrip() for line in lines)


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

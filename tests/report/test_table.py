"""Tables on terminals of several widths: no name and no number is broken inside."""

import io

import pytest
from rich.console import Console

from modelspec.report.table import print_table

HEADER = ("layer", "type", "output shape", "params", "from", "line")
ROWS = [
    ("residual_block_12.convolution", "Conv2D", "(None, 28, 28, 256)", "1,180,160", "a, b", "12"),
    ("dense", "Dense", "(None, 10)", "2,570", "residual_block_12.convolution", "13"),
]


def printed(width: int, prose: frozenset[int] = frozenset()) -> list[str]:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    print_table(console, HEADER, ROWS, {3, 5}, prose=prose)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 77, 78, 79, 80, 81, 82, 83, 84, 85, 100, 200])
def test_cells_stay_whole(width: int) -> None:
    lines = printed(width)
    assert all(len(line.rstrip()) <= width for line in lines)
    text = "\n".join(lines)
    note = lines[-1] if "not shown" in lines[-1] else ""
    for row in ROWS:
        [line] = [line for line in lines if line.startswith(row[0])]
        for name, cell in zip(HEADER, row, strict=True):
            assert (cell in line) or (name in note)
    assert ("not shown" in text) == (width < 120)
    assert len(lines) == 4 + bool(note)


def test_the_widest_columns_go_first() -> None:
    assert printed(80)[-1] == "not shown at this width: from"


def test_prose_is_wrapped_between_words() -> None:
    help_text = "a long help text of many words that must be wrapped between them"
    console = Console(file=io.StringIO(), force_terminal=True, width=40, color_system=None)
    print_table(console, ("name", "help"), [("units", help_text)], set(), prose=frozenset({1}))
    assert isinstance(console.file, io.StringIO)
    _, _, *rows = console.file.getvalue().splitlines()
    words = " ".join(rows).split()
    assert words == ["units", *help_text.split()]

"""Tables on terminals of several widths: no name and no number is broken inside."""

import io
import re

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


LONG = ("sample", "category_of_the_product", "estimated_price_in_euros (target)", "x")
PRICES = [("0", "2 (67.2%)", "120.5", "1"), ("1", "0 (53.8%)", "98", "2")]


@pytest.mark.parametrize("width", [35, 40, 50, 60, 79, 80])
def test_names_of_columns_are_broken_before_columns_are_left_out(width: int) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    print_table(console, LONG, PRICES, {0, 1, 2, 3})
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    assert "not shown" not in "".join(lines)
    rule = next(at for at, line in enumerate(lines) if set(line) == {"─"})
    assert (rule > 1) == (width < 72)
    words = {word for line in lines[:rule] for word in line.split()}
    for name in LONG:
        assert all(any(part in word for word in words) for part in re.findall("[^_ ]+", name))
    assert [line.split()[0] for line in lines[rule + 1 :]] == ["0", "1"]

"""Lines of text on a terminal or in a pipe."""

import re
import shlex
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

HANG = 4
"""The indent of the rest of a broken message, which tells it from the next one."""


def print_prose(console: Console, text: str | Text, *, style: str = "", hang: int = 0) -> None:
    """Print text whose lines break between words on a terminal, and nowhere in a pipe.

    A path that is longer than a line stays whole, so that it can be copied. The rest of a broken
    line is indented by ``hang`` columns.
    """
    whole = Text(text, style) if isinstance(text, str) else text
    if console.is_terminal:
        lines = [
            part
            for line in whole.split("\n", allow_blank=True)
            for part in _wrapped(line, console.width, hang)
        ]
        whole = Text("\n").join(lines)
    console.print(whole, soft_wrap=True)


def _wrapped(line: Text, width: int, hang: int) -> list[Text]:
    """Cut a line between words; a word that is longer than the width is not broken."""
    breaks, used = [], 0
    for word in re.finditer(r"\s*\S+", line.plain):
        size = cell_len(word[0])
        if used and used + size > width:
            breaks.append(word.start())
            used, size = hang, cell_len(word[0].lstrip())
        used += size
    first, *rest = line.divide(breaks)
    stripped = (part[len(part.plain) - len(part.plain.lstrip()) :] for part in rest)
    return [first, *(_indented(part, hang, width) for part in stripped)]


def _indented(part: Text, hang: int, width: int) -> Text:
    """Indent a part of a line, where it still fits."""
    return Text(" " * hang) + part if hang + part.cell_len <= width else part


def print_command(console: Console, words: Sequence[str], *, before: str = "") -> None:
    """Print a command of the shell, which can be copied as a whole.

    On a terminal, a long command continues after a backslash, at an option.

    Args:
        console: The console to print on.
        words: The command's words, without quotes.
        before: The text before the command.
    """
    line = before + shlex.join(words)
    if console.is_terminal and cell_len(line) > console.width:
        line = f" \\\n{' ' * (len(before) + 4)}".join(_broken(words, before, console.width))
    console.print(Text(line), soft_wrap=True)


def _broken(words: Sequence[str], before: str, width: int) -> list[str]:
    """Return lines of a command that begin with options; the indent and the backslash fit too."""
    starts = [at for at, word in enumerate(words) if at and word.startswith("-")]
    parts = [
        shlex.join(words[start:end])
        for start, end in zip([0, *starts], [*starts, len(words)], strict=True)
    ]
    room = width - len(before) - 4 - len(" \\")
    lines = [before + parts[0]]
    for part in parts[1:]:
        last = lines[-1].removeprefix(before)
        if cell_len(f"{last} {part}") <= room:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines

"""Standard output for data, standard error for everything else."""

import sys
from functools import cache

from rich.console import Console

_UNBOUNDED = 100_000


@cache
def out() -> Console:
    """Where data goes; in a pipe nothing is cut, wrapped or coloured."""
    return _console(Console(file=sys.__stdout__, highlight=False))


@cache
def err() -> Console:
    """Where progress, notes and problems go."""
    return _console(Console(file=sys.__stderr__, highlight=False))


def write(text: str) -> None:
    """Text to standard output as it is, ended by a line break."""
    write_bytes((text if text.endswith("\n") else text + "\n").encode())


def write_bytes(raw: bytes) -> None:
    """Bytes to standard output as they are."""
    if sys.__stdout__ is not None:
        sys.__stdout__.buffer.write(raw)
        sys.__stdout__.buffer.flush()


def _console(console: Console) -> Console:
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console

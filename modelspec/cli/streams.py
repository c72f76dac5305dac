"""Standard output for data, standard error for everything else."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_UNBOUNDED = 100_000


class _Lasting:
    """Standard error that may be full, or closed by its reader: no run may end of what it says."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with self._or_nowhere():
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with self._or_nowhere():
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    @contextmanager
    def _or_nowhere(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            # What waits in buffers is let go too, or Python would fail on it at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._file.fileno())


def keep_stderr() -> None:
    """Let standard error be closed, full or left by its reader, without an end to the command."""
    if sys.stderr is None:
        os.open(os.devnull, os.O_WRONLY)
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    lasting: Any = _Lasting(sys.stderr)
    sys.stderr = sys.__stderr__ = lasting  # type: ignore[misc]


@cache
def out() -> "Console":
    """Where data goes; in a pipe nothing is cut, wrapped or coloured."""
    return console(sys.__stdout__)


@cache
def err() -> "Console":
    """Where progress, notes and problems go."""
    return console(sys.__stderr__)


def write(text: str) -> None:
    """Text to standard output as it is, ended by a line break."""
    text = text if text.endswith("\n") else f"{text}\n"
    # A path may hold bytes that are not UTF-8, which whoever reads it needs as they are.
    write_bytes(text.encode("utf-8", "surrogateescape"))


def say(text: str) -> None:
    """Print a line to standard error; on a terminal it breaks between words."""
    from modelspec.report.prose import print_prose

    print_prose(err(), text)


def write_error(text: str) -> None:
    """Text to standard error as it is."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(text)
        sys.__stderr__.flush()


def is_plain(file: TextIO | None) -> bool:
    """Whether a stream takes no colours: it is no terminal, and nobody says that it is one."""
    wanted = any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
    return not wanted and (file is None or not file.isatty())


def write_bytes(raw: bytes) -> None:
    """Bytes to standard output as they are."""
    if sys.__stdout__ is not None:
        sys.__stdout__.buffer.write(raw)
        sys.__stdout__.buffer.flush()


def console(file: TextIO | None) -> "Console":
    """A console that writes to a stream; in a pipe or a file nothing is cut or wrapped."""
    from modelspec.cli.safe_console import SafeConsole

    console = SafeConsole(file=file, highlight=False)
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console

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
    """Standard error that may be full, or closed by its reader, without ending a run."""

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
            # Buffered text is discarded too, or Python would fail on it at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._file.fileno())


def keep_stderr() -> None:
    """Allow standard error to be closed, full or without a reader."""
    if sys.stderr is None:
        os.open(os.devnull, os.O_WRONLY)
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    lasting: Any = _Lasting(sys.stderr)
    sys.stderr = sys.__stderr__ = lasting  # type: ignore[misc]


@cache
def out() -> "Console":
    """Return the console for data; in a pipe nothing is cut, wrapped or coloured."""
    return console(sys.__stdout__)


@cache
def err() -> "Console":
    """Return the console for progress, notes and problems."""
    return console(sys.__stderr__)


def write(text: str) -> None:
    """Write text to standard output unchanged, followed by a line break."""
    text = text if text.endswith("\n") else f"{text}\n"
    # A path may contain bytes that are not UTF-8, which its reader needs unchanged.
    write_bytes(text.encode("utf-8", "surrogateescape"))


def say(text: str) -> None:
    """Print a line to standard error; on a terminal it breaks between words."""
    from modelspec.report.prose import HANG, print_prose

    print_prose(err(), text, hang=HANG)


def write_error(text: str) -> None:
    """Write text to standard error unchanged."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(text)
        sys.__stderr__.flush()


def is_plain(file: TextIO | None) -> bool:
    """Return True where a stream takes no colours: it is not a terminal, and none are forced."""
    wanted = any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
    return not wanted and (file is None or not file.isatty())


def write_bytes(raw: bytes) -> None:
    """Write bytes to standard output unchanged."""
    if sys.__stdout__ is not None:
        sys.__stdout__.buffer.write(raw)
        sys.__stdout__.buffer.flush()


def console(file: TextIO | None) -> "Console":
    """Return a console that writes to a stream; in a pipe or a file nothing is cut or wrapped."""
    from modelspec.cli.safe_console import SafeConsole

    # Before version 14, rich takes an empty FORCE_COLOR for a terminal.
    forced = False if os.environ.get("FORCE_COLOR") == "" else None
    console = SafeConsole(file=file, highlight=False, force_terminal=forced)
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console

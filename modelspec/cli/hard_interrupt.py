"""Ctrl-C: the second ends the process at once, even during a step of TensorFlow."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_INTERRUPTED = 130
_came = threading.Event()
_SHOW_CURSOR = "\x1b[?25h\n"


def note_interrupts() -> None:
    """Note that Ctrl-C came, besides raising KeyboardInterrupt.

    A module in C turns a KeyboardInterrupt during its import into another error.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)


def _note(number: int, frame: FrameType | None) -> None:
    _came.set()
    signal.default_int_handler(number, frame)


def was_interrupted() -> bool:
    """Return True where Ctrl-C came outside of the training, which answers it itself."""
    return _came.is_set()


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """End the process at the second Ctrl-C; partly written files have no final name yet."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_count, args=(reader,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)


def _count(reader: int) -> None:
    """Wait for signals, whose numbers Python writes on arrival, even while C code runs."""
    left = 2
    while left and (numbers := os.read(reader, 16)):
        left -= min(left, numbers.count(signal.SIGINT))
    os.close(reader)
    if left == 0:
        if sys.stderr.isatty():
            sys.stderr.write(_SHOW_CURSOR)
        os._exit(_INTERRUPTED)

"""Signs of life of a worker, for the process that started it."""

import os
import signal
import threading
import time
from contextlib import suppress

PULSE = "MODELSPEC_PULSE"
"""The environment variable with the number of the pipe to write to."""

SILENCE = 45.0
"""The seconds without a sign after which a worker counts as hanging."""

_EVERY = 1.0

HANGS = b"!"
"""The sign of a worker that hangs while its process answers."""

_started: list[int] = []


def is_watched() -> bool:
    """Return True where another process started this one, watches it, and logs its output."""
    return bool(_started)


def start_pulse() -> None:
    """Write to the pipe every second, as long as the process can run threads; if there is one.

    If the process that reads it has ended, this one gets SIGTERM, so that it does too.
    """
    # Removed, because a process that this one starts has another file of that number.
    pipe = os.environ.pop(PULSE, "")
    if pipe.isdigit():
        _started.append(int(pipe))
        threading.Thread(target=_beat, args=(int(pipe),), daemon=True).start()


def tell_of_hang() -> None:
    """Ask the process that started this one to end all workers."""
    for pipe in _started:
        with suppress(OSError):
            os.write(pipe, HANGS)


def _beat(pipe: int) -> None:
    try:
        while True:
            os.write(pipe, b".")
            time.sleep(_EVERY)
    except OSError:
        os.kill(os.getpid(), signal.SIGTERM)

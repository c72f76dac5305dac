"""Signs of life of a worker, for the process that started it."""

import os
import signal
import threading
import time

PULSE = "MODELSPEC_PULSE"
"""The environment variable with the number of the pipe to write to."""

SILENCE = 30.0
"""Seconds without a sign after which a worker counts as hanging."""

_EVERY = 1.0


def is_watched() -> bool:
    """Whether another process started this one, watches it, and keeps what it says."""
    return PULSE in os.environ


def start_pulse() -> None:
    """Write to the pipe every second, as long as the process can run threads; if there is one.

    If the process that reads it has ended, this one gets SIGTERM, so that it does too.
    """
    pipe = os.environ.get(PULSE, "")
    if pipe.isdigit():
        threading.Thread(target=_beat, args=(int(pipe),), daemon=True).start()


def _beat(pipe: int) -> None:
    try:
        while True:
            os.write(pipe, b".")
            time.sleep(_EVERY)
    except OSError:
        os.kill(os.getpid(), signal.SIGTERM)

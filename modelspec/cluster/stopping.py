"""The signals that ask a run to save its state and stop."""

import signal

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the request of a scheduler, and a terminal that is closed or a connection that ends."""


def stopping_signals() -> list[signal.Signals]:
    """Return the signals that this process does not ignore.

    nohup lets a process ignore SIGHUP, and a shell lets a process in the background ignore SIGINT.
    """
    return [number for number in _STOPPING if signal.getsignal(number) != signal.SIG_IGN]

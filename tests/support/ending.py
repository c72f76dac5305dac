"""A bound for work that must come to an end, on a machine of any speed and load.

How fast something is, `tests/benchmarks` measures. A test asks only whether it ends: work that
grows with a power of its input, or by doubling, would need hours where these bounds are minutes.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 120.0
"""A hundred times what the slowest such test takes on a machine of 2024."""


PATIENCE = 600.0
"""Seconds that a test waits for another process, which shares its cores with who knows whom."""


class StillRunningError(Exception):
    """The work has used up its bound."""


@contextmanager
def bounded(seconds: float = SECONDS) -> Iterator[None]:
    """Stop the work inside after so many seconds of this process's own processor time.

    Other processes do not count, however much they slow this one. Only the main thread of a system
    with such timers can be stopped; elsewhere the work is not bounded.

    Raises:
        StillRunningError: inside the work, once it has used up its time.
    """

    def stop(*_: object) -> None:
        raise StillRunningError(f"still running after {seconds:g} s of processor time")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)

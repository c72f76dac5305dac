"""A limit for work that must end, on a machine of any speed and load.

`tests/benchmarks` measures speed. A test only requires that work ends: work that grows with a power
of its input, or exponentially, would need hours where these limits are minutes.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 120.0
"""A hundred times the seconds of the slowest such test on a machine of 2024."""


PATIENCE = 600.0
"""The seconds that a test waits for another process, on cores with any other load."""


class StillRunningError(Exception):
    """The work exceeded its limit."""


@contextmanager
def bounded(seconds: float = SECONDS) -> Iterator[None]:
    """Stop the work inside after some seconds of this process's own processor time.

    Other processes do not count, however much they slow this one. Only the main thread of a system
    with such timers can be stopped; elsewhere the work has no limit.

    Raises:
        StillRunningError: The work has used up its time.
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

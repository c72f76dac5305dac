"""Ctrl-C, SIGTERM and SIGHUP as requests: a run saves its current step before it ends."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from modelspec.cluster.stopping import stopping_signals


class Interrupts:
    """A context in which the first signal sets ``requested``; the second raises KeyboardInterrupt.

    Python delivers signals to the main thread; in another thread the context has no effect.
    """

    def __init__(self, at_first: Callable[[], None]) -> None:
        self.requested = False
        self._at_first = at_first
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            numbers = stopping_signals()
            self._before = {number: signal.signal(number, self._handle) for number in numbers}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.requested:
            if number == signal.SIGHUP:
                return  # the system and the shell both send it for a closed terminal
            raise KeyboardInterrupt
        self.requested = True
        # The signal may have come inside a write to the stream that this writes to, which Python
        # does not enter twice. Then the request is valid, but no message is written.
        try:
            self._at_first()
        except RuntimeError as error:
            if "reentrant call" not in str(error):
                raise

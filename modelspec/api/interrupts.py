"""Ctrl-C and SIGTERM as requests: a run finishes and saves its current step before it ends."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
            self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
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
        del number, frame
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # The signal may have come inside a write to the stream that this writes to, which Python
        # does not enter twice. Then the request is valid, but no message is written.
        try:
            self._at_first()
        except RuntimeError as error:
            if "reentrant call" not in str(error):
                raise

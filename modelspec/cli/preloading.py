"""TensorFlow's library, loaded while Python imports the modules of the command."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

from modelspec.storage.silence import silent_stderr

_LIBRARIES = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
_XLA_OPTIONS = ("TF_XLA_FLAGS", "XLA_FLAGS")


@contextmanager
def tensorflow_preloaded() -> Iterator[None]:
    """Load TensorFlow's library in a thread, which ends before the context is left.

    The system links a library of a gigabyte, for a third of a second, without Python's lock. Inside
    the context, no code may print or start a process: TensorFlow logs when it is loaded, so
    standard error is discarded until then.
    """
    thread = Thread(target=_load)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _load() -> None:
    spec = find_spec("tensorflow")
    # The test of XLA's options comes first.
    if spec is None or spec.origin is None or any(map(os.environ.get, _XLA_OPTIONS)):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # the library reads it when it is loaded
    with silent_stderr():
        for name in _LIBRARIES:
            path = Path(spec.origin).parent / name
            with suppress(OSError):  # the import reports it, if it needs this file
                ctypes.CDLL(str(path))

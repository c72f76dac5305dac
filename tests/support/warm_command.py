"""The command, forked from a process that has imported it already, and measured.

A start from nothing costs four seconds of processor time where a command needs Keras. A fork is the
command in all but its imports: its own process, arguments, folder, streams, exit and exit code.
What depends on the start itself needs a process from nothing.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ending import PATIENCE

_SERVER = """
import gc, json, os, sys
import modelspec.cli
exec(sys.argv[1])
gc.freeze()  # a fork that looks for garbage among the imports takes a second for it
print("ready", flush=True)
for line in sys.stdin:
    arguments, folder, *streams = json.loads(line)
    process = os.fork()
    if not process:
        for number, path in enumerate(streams):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666), number)
        os.chdir(folder)
        sys.argv = ["modelspec", *arguments]
        modelspec.cli.main()
    print(process, flush=True)
    _, status, used = os.wait4(process, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_maxrss]), flush=True)
"""

CHECKING = """
import modelspec, modelspec.cli.check
# With options of XLA, a check starts TensorFlow, which needs more memory than JAX.
os.environ.pop("XLA_FLAGS", None)
# Imports what a check needs; Keras, whose threads no fork would survive, is not among it.
modelspec.load(sys.argv[2]).check(sys.argv[3], fast=True)
"""

TRAINING = """
import matplotlib.pyplot
from modelspec.backend.start import start
# TensorFlow starts threads with its first operation, and no fork survives them.
def stop():
    raise StopIteration
try:
    start(first=stop)
except StopIteration:
    pass
import modelspec.api.inference_data, modelspec.api.train, modelspec.backend.training.session
import modelspec.cli.evaluate, modelspec.cli.predict, modelspec.cli.train
"""


class Ended(NamedTuple):
    """The end of a process."""

    code: int
    raw: bytes
    """Its standard output."""
    err: str
    megabytes: float = 0.0
    """Its peak memory, where it is measured."""

    @property
    def out(self) -> str:
        return self.raw.decode("utf-8", "replace")

    @property
    def data(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.raw)


class WarmCommand:
    """``modelspec``, in a separate process for each call, which starts after the imports."""

    def __init__(self, imports: str, *arguments: str | Path) -> None:
        """Start the process that the others are forked from, with ``CHECKING`` or ``TRAINING``."""
        self._streams = tempfile.TemporaryDirectory(prefix="modelspec-streams-")
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, imports, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == "ready"

    def run(
        self, *arguments: str, folder: Path, stdin: bytes = b"", together: bool = False
    ) -> Ended:
        """Run the command in ``folder``; both outputs are one with ``together``."""
        self.start(*arguments, folder=folder, stdin=stdin, together=together)
        return self.end()

    def start(
        self, *arguments: str, folder: Path, stdin: bytes = b"", together: bool = False
    ) -> int:
        """Start the command, of which one can run at a time, and return the process's id."""
        source, out, err = self._paths()
        source.write_bytes(stdin)
        for path in (out, err):
            path.write_bytes(b"")
        paths = source, out, out if together else err
        assert self._server.stdin is not None
        print(
            json.dumps([arguments, *map(str, (folder, *paths))]),
            file=self._server.stdin,
            flush=True,
        )
        return int(self._read())

    def wait_for(self, sign: Callable[[str], bool]) -> None:
        """Wait until standard error has a sign; its text is the argument."""
        _, _, err = self._paths()
        deadline = time.monotonic() + PATIENCE
        while not sign(err.read_text("utf-8", "replace")):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self) -> Ended:
        """Wait for the end of the command that is running."""
        code, kilobytes = json.loads(self._read())
        _, out, err = self._paths()
        return Ended(code, out.read_bytes(), err.read_text("utf-8", "replace"), kilobytes / 1024)

    def close(self) -> None:
        self._server.communicate()
        self._streams.cleanup()

    def _paths(self) -> list[Path]:
        """Return the files of the standard streams."""
        return [Path(self._streams.name, name) for name in ("in", "out", "err")]

    def _read(self) -> Any:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()

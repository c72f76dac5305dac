"""The command, forked from a process that has imported it already, and measured."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

_SERVER = """
import json, os, sys
import modelspec.cli.check
import modelspec
spec, data = sys.argv[1:]
# Imports what a check needs; Keras, whose threads no fork would survive, is not among it.
modelspec.load(spec).check(data, fast=True)
print("ready", flush=True)
for line in sys.stdin:
    arguments, folder, out, err = json.loads(line)
    process = os.fork()
    if not process:
        os.chdir(folder)
        for number, path in ((0, os.devnull), (1, out), (2, err)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), number)
        sys.argv = ["modelspec", *arguments]
        modelspec.cli.main()
    _, status, used = os.wait4(process, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_maxrss]), flush=True)
"""


class Ended(NamedTuple):
    exit_code: int
    megabytes: float
    """The peak memory of the process."""
    out: str
    err: str


class WarmCommand:
    """``modelspec``, in a process of its own for each call, which starts after the imports."""

    def __init__(self, spec: Path, data: Path) -> None:
        """Start the process that the others are forked from; it checks a spec and data once."""
        # With options of XLA, a check starts TensorFlow, which needs more memory than JAX.
        plain = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(spec), str(data)],
            env=plain,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == "ready"

    def run(self, *arguments: str, folder: Path) -> Ended:
        """Run the command in ``folder``, with its output in files there."""
        paths = [folder / "said.out", folder / "said.err"]
        assert self._server.stdin is not None
        print(
            json.dumps([arguments, *map(str, (folder, *paths))]),
            file=self._server.stdin,
            flush=True,
        )
        exit_code, kilobytes = json.loads(self._read())
        texts = [path.read_text("utf-8", "replace") for path in paths]
        for path in paths:
            path.unlink()
        return Ended(exit_code, kilobytes / 1024, *texts)

    def close(self) -> None:
        self._server.communicate()

    def _read(self) -> Any:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()

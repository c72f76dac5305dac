"""The end of the process: at once, and with all that Python does."""

import shlex
import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

LEAVE = """
import atexit, sys, threading

atexit.register(print, "at exit")
if THREAD:
    threading.Thread(target=lambda: (threading.main_thread().join(), print("thread"))).start()
sys.argv = ["modelspec", *ARGUMENTS]
from modelspec.cli import main
main()
"""


def left(*, thread: bool, arguments: list[str]) -> tuple[int, list[str]]:
    code = LEAVE.replace("THREAD", str(thread)).replace("ARGUMENTS", repr(arguments))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()[-3:]


def test_functions_at_exit_run_and_the_exit_code_stays() -> None:
    code, lines = left(thread=False, arguments=["--version"])
    assert code == 0
    assert lines[-1] == "at exit"
    code, lines = left(thread=False, arguments=["no-such-command"])
    assert (code, lines) == (2, ["at exit"])


def test_threads_are_waited_for() -> None:
    code, lines = left(thread=True, arguments=["--version"])
    assert code == 0
    assert lines[-2:] == ["thread", "at exit"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_fault(closed: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m modelspec --version {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_objects_are_not_destroyed() -> None:
    late = "import os\nclass Late:\n    def __del__(self): os.write(1, b'destroyed')\nlate = Late()"
    code = late + LEAVE.replace("THREAD", "False").replace("ARGUMENTS", "['--version']")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "at exit"

"""The end of a process in which TensorFlow was loaded: at once, and with all that Python does."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

LEAVE = """
import atexit, sys, threading, types

sys.modules["tensorflow"] = types.ModuleType("tensorflow")
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

"""Matplotlib, which draws the curves of a run, is imported while the model trains."""

import subprocess
import sys

import pytest

from modelspec.cli.train import _ImportsCurves
from modelspec.runs.progress import NullListener

EARLY = """
import sys, threading
from modelspec.cli.train import _ImportsCurves
from modelspec.runs.progress import NullListener
class Told(NullListener):
    def training_started(self, history): print(history, "matplotlib" in sys.modules)
before = "matplotlib" in sys.modules
_ImportsCurves(Told()).training_started([1])
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
print(before, "matplotlib.backends.backend_agg" in sys.modules)
"""


@pytest.mark.process
def test_matplotlib_is_imported_when_training_starts() -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith("[1]")
    assert done.stdout.splitlines()[1] == "False True"


def test_every_event_is_passed_on() -> None:
    calls = []
    events = [name for name in vars(NullListener) if not name.startswith("_")]
    listener = NullListener()
    for name in events:
        setattr(listener, name, lambda *values, name=name: calls.append((name, values)))
    passes_on = _ImportsCurves(listener)
    for name in events:
        getattr(passes_on, name)(name)
    assert calls == [(name, (name,)) for name in events]

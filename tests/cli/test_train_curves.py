"""Matplotlib, which draws the curves of a run, is imported while the model trains."""

import subprocess
import sys
from inspect import signature

import pytest

from modelspec.cli.train import _ImportsCurves
from modelspec.runs.progress import NullListener

EARLY = """
import sys, threading
from modelspec.cli.train import _ImportsCurves
from modelspec.runs.progress import NullListener
class Told(NullListener):
    def samples_done(self, done, logs): print(done)
listener = _ImportsCurves(Told())
listener.training_started([])
before = "matplotlib" in sys.modules or threading.active_count() > 1
listener.samples_done(1, {})
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
print(before, "matplotlib.backends.backend_agg" in sys.modules)
"""


@pytest.mark.process
def test_matplotlib_is_imported_after_the_first_steps() -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1", "False True"]


def test_every_event_is_passed_on() -> None:
    calls = []
    events = [name for name in vars(NullListener) if not name.startswith("_")]
    listener = NullListener()
    for name in events:
        setattr(listener, name, lambda *values, name=name: calls.append((name, values)))
    passes_on = _ImportsCurves(listener)
    # A listener without attributes of its own tells how many values an event has.
    sizes = [len(signature(getattr(NullListener(), name)).parameters) for name in events]
    for name, size in zip(events, sizes, strict=True):
        getattr(passes_on, name)(*[name] * size)
    assert calls == [(name, (name,) * size) for name, size in zip(events, sizes, strict=True)]

"""The time for which this process was idle."""

import hashlib
import os
import subprocess
import sys
import threading
import time

import pytest

from modelspec.cluster.activity import Activity

PAUSE = 0.3


WAITING = f"""
import time
from modelspec.cluster.activity import Activity

activity = Activity()
time.sleep({PAUSE})
print(activity.idle_seconds(0.0) >= {PAUSE})
time.sleep({PAUSE})
print(activity.idle_seconds(0.0) >= 2 * {PAUSE})
print(activity.idle_seconds(1.0) == 0)
time.sleep({PAUSE})
print({PAUSE} <= activity.idle_seconds(1.0))
"""


@pytest.mark.process  # of its own: threads of other tests may work here
def test_a_process_that_waits_does_nothing_until_it_makes_progress() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITING], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"] * 4


def test_processor_time_is_work() -> None:
    activity = Activity()
    end = time.process_time() + PAUSE / 3
    while time.process_time() < end:
        pass
    assert activity.idle_seconds(0.0) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the states of threads")
@pytest.mark.process
@pytest.mark.sweep
def test_a_thread_that_waits_for_a_processor_is_no_idle_one() -> None:
    """As on a machine with too much to do, where it gets less than a twentieth of a core."""
    core, ended, pinned = min(os.sched_getaffinity(0)), threading.Event(), threading.Event()

    def compute() -> None:
        os.sched_setaffinity(0, {core})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        pinned.set()
        data = bytes(2**20)  # long enough to be hashed without Python's lock
        while not ended.is_set():
            hashlib.sha256(data)

    spin = f"import os; os.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) as spinning:
        assert spinning.stdout is not None
        spinning.stdout.readline()
        thread = threading.Thread(target=compute)
        thread.start()
        try:
            pinned.wait()
            activity = Activity()
            time.sleep(PAUSE)
            activity.idle_seconds(0.0)
            time.sleep(PAUSE)
            assert activity.idle_seconds(0.0) == 0
        finally:
            spinning.kill()
            ended.set()
            thread.join()

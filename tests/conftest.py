"""Keras on TensorFlow in every test process, without TensorFlow's log output, and empty caches.

If tests are chosen by ``-m "not keras and not process"``, a test that imports Keras or starts a
process fails. In other runs, modules that are imported already hide what a test needs, and
libraries start programs of their own.
"""

import gc
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from warm_command import TRAINING, WarmCommand

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

THEIRS = (
    # NumPy 2 passes an argument to TensorFlow's variables that they do not know.
    "__array__ implementation doesn't accept a copy:DeprecationWarning:keras.src.backend",
    # Keras before 3.15 tests whether an old NumPy has it.
    "In the future `np.object` will be defined:FutureWarning:keras.src.export",
)

_CACHE = tempfile.TemporaryDirectory(prefix="modelspec-tests-")

_MARKERS = re.compile(r"^pytestmark = (.*)", re.MULTILINE)
_OF_KERAS = {"keras", "tensorflow", "jax"}
_STARTS = {"subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec"}

_unmarked: set[str] = set()
"""The markers that the running test does not have."""


def pytest_configure(config: pytest.Config) -> None:
    """Ignore warnings of TensorFlow and Keras that nobody here can avoid."""
    for warning in THEIRS:
        config.addinivalue_line("filterwarnings", f"ignore:{warning}")
    # Results that were cached with earlier code must not answer for this one.
    os.environ["XDG_CACHE_HOME"] = _CACHE.name
    if "not keras" in config.option.markexpr:
        # h5py asks for it where a test imports it: a program tells, whose answer Python keeps.
        platform.processor()
        sys.addaudithook(_hold_to_markers)


def pytest_collection() -> None:
    # Without bytecode, each command that a test starts would compile our code anew. This process
    # goes on as it was started: some tests limit the size of the files that it can write.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Modules and tests stay: to look for garbage among them takes a third of the time.
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
    # By default, garbage among all that Keras and the caches keep takes a twentieth of the time.
    gc.set_threshold(10_000, 10, 25)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out modules that are marked as a whole, because most import Keras when collected."""
    if collection_path.suffix != ".py" or "not keras" not in config.option.markexpr:
        return None
    markers = _MARKERS.search(collection_path.read_text(encoding="utf-8"))
    names = re.findall(r"mark\.(\w+)", markers[1]) if markers else []
    return any(f"not {name}" in config.option.markexpr for name in names) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by the time of modules; leave out sweeps that neither marker nor id selects."""
    if "sweep" not in config.option.markexpr and not any("::" in name for name in config.args):
        sweeps = [item for item in items if item.get_closest_marker("sweep")]
        config.hook.pytest_deselected(items=sweeps)
        items[:] = [item for item in items if not item.get_closest_marker("sweep")]
    # With two workers, a long module at the end leaves one of them without work.
    ranks: dict[Path, int] = {}
    for item in items:
        ranks[item.path] = min(_rank(item), ranks.get(item.path, _rank(item)))
    items.sort(key=lambda item: ranks[item.path])


def _rank(item: pytest.Item) -> int:
    """Return 0 for slow tests, and 2 for those that need neither Keras nor a process."""
    if item.get_closest_marker("slow"):
        return 0
    return 1 if item.get_closest_marker("keras") or item.get_closest_marker("process") else 2


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    marks = {mark.name for mark in item.iter_markers()}
    # Importing Keras also runs other programs, to identify the processor.
    _unmarked.update(set() if "keras" in marks else {"keras", "process"} - marks)
    try:
        return (yield)
    finally:
        _unmarked.clear()


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmCommand]:
    """The command in processes that start with Keras imported: mark the test with ``process``."""
    command = WarmCommand(TRAINING)
    yield command
    command.close()


def _hold_to_markers(event: str, arguments: tuple[Any, ...]) -> None:
    if "keras" in _unmarked and event == "import" and arguments[0] in _OF_KERAS:
        raise AssertionError(f"imports {arguments[0]}: mark the test with pytest.mark.keras")
    if "process" in _unmarked and event in _STARTS:
        raise AssertionError("starts a process: mark the test with pytest.mark.process")

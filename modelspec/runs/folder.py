"""The folder of a run: made, locked, and swept of what a dead process left."""

import fcntl
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from modelspec.problems.errors import RunError
from modelspec.runs.layout import CHECKPOINTS, LOCK
from modelspec.runs.run import Run

_ASIDE = re.compile(r"\..+\.\d+\.[a-z]+")


def new_folder(name: str, now: datetime | None = None) -> Path:
    """Make ``runs/NAME/TIMESTAMP``, with a suffix where that second has a run already.

    Raises:
        RunError: where it cannot be made.
    """
    stamp = (now or datetime.now(UTC)).astimezone().strftime("%Y%m%d-%H%M%S")
    names = (f"{stamp}-{count}" if count > 1 else stamp for count in itertools.count(1))
    while True:
        path = Path("runs") / name / next(names)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise _cannot_make(path, error) from error
        return path


def _cannot_make(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot make {path}: {error.strerror}")


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Keep other processes out of a run's folder; a lock dies with its process.

    Raises:
        RunError: where another process holds the run, or the folder cannot be made.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        lock = (run.path / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise _cannot_make(run.path, error) from error
    with lock:
        _take(lock, run)
        _sweep(run)
        yield


def _take(lock: IO[str], run: Run) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunError(f"another process is using {run.path}") from error
    # Only for whoever looks into the folder, which may be on a full disk.
    with suppress(OSError):
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()


def _sweep(run: Run) -> None:
    """Remove what a dead process was writing."""
    for folder in (run.path, run.path / CHECKPOINTS):
        for file in folder.glob(".*"):
            if _ASIDE.fullmatch(file.name):
                file.unlink(missing_ok=True)

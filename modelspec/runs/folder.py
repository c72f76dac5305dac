"""The folder of a run: creation, lock, and removal of a dead process's files."""

import fcntl
import itertools
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from modelspec.problems.errors import RunError
from modelspec.runs.layout import LOCK, OWN
from modelspec.runs.run import Run, require_plain
from modelspec.storage.regular import open_regular

_ASIDE = re.compile(r"\..+\.\d+(\.weights)?\.[a-z0-9]+")


def new_folder(name: str, now: datetime | None = None) -> Path:
    """Create ``runs/NAME/TIMESTAMP``, with a suffix if this folder already exists.

    Raises:
        RunError: The folder cannot be created.
    """
    paths = _candidates(name, now)
    while True:
        path = next(paths)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise _cannot_make(path, error) from error
        return path


def unused_folder(name: str, now: datetime | None = None) -> Path:
    """The path that ``new_folder`` would create."""
    return next(path for path in _candidates(name, now) if not path.exists())


def _candidates(name: str, now: datetime | None) -> Iterator[Path]:
    stamp = (now or datetime.now(UTC)).astimezone().strftime("%Y%m%d-%H%M%S")
    for count in itertools.count(1):
        yield Path("runs") / name / (f"{stamp}-{count}" if count > 1 else stamp)


def _cannot_make(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot create {path}: {error.strerror}")


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Lock the folder of a run for this process; the lock ends with the process.

    Raises:
        RunError: Another process uses the run, or the folder cannot be created.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        handle = open_regular(run.path / LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _cannot_make(Path(error.filename or run.path), error) from error
    with open(handle, "r+", encoding="utf-8") as lock:  # noqa: PTH123 - a descriptor, not a path
        _refuse_links(run.path)
        _take(lock, run)
        _sweep(run)
        yield


def _refuse_links(folder: Path) -> None:
    """Refuse a folder with links, because a write to a link would change another file.

    The run's own files are written to a temporary file and renamed, which replaces a link. The lock
    and the files of callbacks are not.

    Raises:
        RunError: Something in the folder is a link, a pipe or a device.
    """
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in sorted((*folders, *files))):
            require_plain(path)
            status = path.lstat()
            if (
                status.st_nlink > 1
                and stat.S_ISREG(status.st_mode)
                and not _is_replaced(folder, path)
            ):
                raise RunError(f"{path} has another name elsewhere (a hard link): copy it instead")


def _is_replaced(folder: Path, path: Path) -> bool:
    first = path.relative_to(folder).parts[0]
    return first in OWN and first != LOCK


def _take(lock: IO[str], run: Run) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunError(f"another process is using {run.path}") from error
    # This is only for people who look into the folder, and the disk may be full.
    with suppress(OSError):
        lock.truncate(0)
        lock.seek(0)
        lock.write(str(os.getpid()))
        lock.flush()


def _sweep(run: Run) -> None:
    """Remove the temporary files of a dead process."""
    for file in run.path.rglob(".*"):
        if _ASIDE.fullmatch(file.name):
            file.unlink(missing_ok=True)

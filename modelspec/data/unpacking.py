"""Compressed arrays, unpacked once to files in the user's cache folder and memory-mapped there.

A file is written completely or not at all. Above the limit, the least recently used files are
deleted. That is safe for a process that still reads one: its mapping stays valid until it ends.
"""

import errno
import fcntl
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from modelspec.data.npz import Member, one_line
from modelspec.data.npz_contents import contents
from modelspec.storage import cache

LIMIT = "MODELSPEC_CACHE_GB"
"""The environment variable with the size limit of the cache, in gigabytes."""

_KEPT_GB = 50.0
_WAIT = 0.1
_PARTIAL = ".partial"
_FIRST_SECOND = 10**8
"""A time before every real write of a file: in 1973."""

# Files that this process has mapped are kept; its next run would unpack them again.
_in_use: set[Path] = set()


class NoRoomError(Exception):
    """An array cannot be stored in the cache folder; the message gives the reason."""


def folder() -> Path:
    """Return the folder of unpacked arrays.

    Raises:
        NoRoomError: The user has no home folder.
    """
    try:
        return cache.folder("unpacked")
    except RuntimeError as error:
        raise NoRoomError(f"there is no cache folder: {one_line(error)}") from error


def is_unpacked(member: Member) -> bool:
    """Return True where the array of a compressed member is already in the cache."""
    try:
        return _is_whole(place(member), member)
    except (OSError, NoRoomError):
        return False


def unpack(member: Member) -> Path:
    """Return the file with the array's data, in native byte order; unpack it if necessary.

    Raises:
        NoRoomError: The file cannot be written.
        ValueError: The member is damaged; zipfile and zlib raise other types too.
    """
    try:
        target = place(member)
        target.parent.mkdir(parents=True, exist_ok=True)
        while not _is_whole(target, member):
            with _claimed(target.with_suffix(_PARTIAL)) as file:
                if file is None:
                    time.sleep(_WAIT)
                elif not _is_whole(target, member):
                    _write(member, file, target)
        _in_use.add(target)
        _mark_used(target, member)
    except OSError as error:
        raise NoRoomError(one_line(error)) from error
    return target


@contextmanager
def writer(member: Member) -> Iterator[Callable[[bytes], None]]:
    """Yield a function that writes the next bytes of an array's file, complete at the end.

    For arrays that are written together; what another process writes at the same time is discarded.

    Raises:
        NoRoomError: The file cannot be written.
    """
    target = place(member)
    _in_use.add(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _make_room(target.parent, member.nbytes)
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=_PARTIAL, delete=False) as file:
            partial = Path(file.name)
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield lambda data: _nothing(file.write(data))
                file.flush()
                _mark_used(partial, member)
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise NoRoomError(one_line(error)) from error


def _nothing(count: int) -> None:
    del count


def place(member: Member) -> Path:
    """Return the path in the cache: the same for an unchanged file, another for a changed one."""
    path = member.file.resolve()
    state = path.stat()
    parts = (str(path), state.st_size, state.st_mtime_ns, member.name, member.checksum)
    return folder() / f"{cache.key(*map(str, parts))}.array"


def _is_whole(target: Path, member: Member) -> bool:
    """Return True where the file is unchanged since its checksum was compared, by size and time."""
    try:
        state = target.stat()
    except FileNotFoundError:
        return False
    return state.st_size == member.nbytes and state.st_mtime_ns == _stamp(member)


def _stamp(member: Member) -> int:
    """Return the time of change, in nanoseconds, that marks a complete file of an array."""
    return (_FIRST_SECOND + member.checksum % _FIRST_SECOND) * 10**9


def _mark_used(target: Path, member: Member) -> None:
    """Set the time of access, which decides which files are deleted first."""
    os.utime(target, ns=(time.time_ns(), _stamp(member)))


@contextmanager
def _claimed(partial: Path) -> Iterator[IO[bytes] | None]:
    """Yield a file to fill and rename; None while another process fills it.

    The lock ends with its process: a partial file without a lock can be deleted.
    """
    with partial.open("ab") as file:
        if not _locked(file) or not _is_still(partial, file):
            yield None
            return
        file.truncate(0)
        try:
            yield file
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, file: IO[bytes]) -> bool:
    """Return True where ``path`` still names the file: another process may have renamed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _write(member: Member, file: IO[bytes], target: Path) -> None:
    _make_room(target.parent, member.nbytes)
    for block in contents(member):
        file.write(block)
    file.flush()
    os.fsync(file.fileno())
    if place(member) != target:
        raise ValueError("the file changed while it was unpacked")
    _mark_used(target.with_suffix(_PARTIAL), member)
    target.with_suffix(_PARTIAL).replace(target)


def _make_room(kept: Path, needed: int) -> None:
    """Delete partial files of dead processes, and then the least recently used files.

    Raises:
        OSError: The disk still has too little room.
        NoRoomError: The limit is not a number.
    """
    limit = _limit()
    _drop_rubbish(kept)
    stored = sorted((path.stat().st_atime_ns, path) for path in kept.glob("*.array"))
    total = sum(path.stat().st_size for _, path in stored) + needed
    for _, path in stored:
        if total <= limit and shutil.disk_usage(kept).free >= needed:
            return
        if path not in _in_use:
            total -= path.stat().st_size
            path.unlink(missing_ok=True)
    if shutil.disk_usage(kept).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _drop_rubbish(kept: Path) -> None:
    for partial in kept.glob(f"*{_PARTIAL}"):
        with suppress(FileNotFoundError), partial.open("rb") as file:
            if _locked(file):
                partial.unlink()


def _limit() -> float:
    wanted = os.environ.get(LIMIT) or _KEPT_GB
    try:
        limit = float(wanted)
    except ValueError:
        limit = math.nan
    if not limit >= 0:
        raise NoRoomError(f"{LIMIT} is a number of gigabytes, not {wanted}")
    return limit * 1e9

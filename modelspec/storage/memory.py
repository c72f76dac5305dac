"""The memory of this machine, and the part of it that is free, within the limits of its group."""

import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_KIBI = 1024


def total_memory() -> int | None:
    """Return the bytes that the process may use at most; None where the system does not say."""
    limits = [limit for limit, _ in _limits()]
    return min([*limits, *_installed()], default=None)


def free_memory() -> int | None:
    """Return the bytes that are free now; None where the system does not say."""
    free = [limit - used for limit, used in _limits()]
    return min([*free, *_available()], default=None)


def _installed() -> Iterator[int]:
    try:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return


def _available() -> Iterator[int]:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    yield from (int(line.split()[1]) * _KIBI for line in lines if line.startswith("MemAvailable:"))


def _limits() -> Iterator[tuple[int, int]]:
    """Yield the limit of each control group of the process, and the bytes in use there."""
    try:
        entries = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    own = next((entry.split(":", 2)[2] for entry in entries if entry.startswith("0::")), "/")
    group = _GROUPS / own.lstrip("/")
    for folder in (group, *group.parents):
        if (limit := limit_of(folder)) is not None:
            yield limit


def limit_of(folder: Path) -> tuple[int, int] | None:
    """Return the limit of a control group, and the bytes in use without the cache of files.

    The system gives that cache up when a process needs memory.
    """
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = (folder / "memory.current").read_text(encoding="ascii").strip()
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    if not (limit.isdigit() and used.isdigit()):
        return None
    held = dict(line.split() for line in lines if line.count(" ") == 1)
    cached = sum(int(held.get(name, 0)) for name in ("active_file", "inactive_file"))
    return int(limit), max(0, int(used) - cached)

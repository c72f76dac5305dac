"""The cores of this machine, divided among workers.

Workers wake each other in every step. Linux then likes to run the two on one core while another is
idle, which costs a tenth of a step of 30 ms with two workers on two cores.
"""

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

_SYSTEM = Path("/sys/devices/system/cpu")


def usable_cores() -> Sequence[int]:
    """The numbers of the cores that this process may use; neighbours share caches and memory."""
    if sys.platform != "linux":
        return range(os.cpu_count() or 1)
    return sorted(os.sched_getaffinity(0), key=_position)


def _position(core: int) -> tuple[int, int, int]:
    """The package and the physical core of a logical core, as far as Linux tells them."""
    numbers = [0, 0]
    for place, name in enumerate(("physical_package_id", "core_id")):
        with suppress(OSError, ValueError):
            numbers[place] = int((_SYSTEM / f"cpu{core}" / "topology" / name).read_text())
    return numbers[0], numbers[1], core


def divide(cores: Sequence[int], count: int) -> list[Sequence[int]]:
    """The cores of each of ``count`` workers; all of them where there are fewer than workers."""
    if len(cores) < count:
        return [cores] * count
    ends = [index * len(cores) // count for index in range(count + 1)]
    return [cores[start:stop] for start, stop in pairwise(ends)]


@contextmanager
def starting_on(cores: Collection[int]) -> Iterator[None]:
    """Have processes that start inside run on these cores alone, where the system can do that."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    # A container may forbid it; the workers then run where the system likes.
    with suppress(OSError):
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)

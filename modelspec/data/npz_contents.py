"""The bytes of an array in an npz file, in blocks, without its header."""

from collections.abc import Iterator
from typing import IO

import numpy as np

from modelspec.data.npz import Member, one_line, open_npz

_BLOCK = 1 << 20


def contents(member: Member) -> Iterator[bytes]:
    """Yield the array's data in blocks of about 1 MiB, in native byte order, without its header.

    Raises:
        ValueError: The bytes do not match the header, or the checksum, which is compared at the
            end; zipfile and zlib raise other types too.
    """
    native = member.dtype.newbyteorder("=")
    step = max(1, _BLOCK // member.dtype.itemsize) * member.dtype.itemsize
    done = 0
    try:
        with open_npz(member.file) as npz, npz.open(member.entry) as entry:
            entry.read(member.skip)
            while block := _filled(entry, step):
                done += len(block)
                swapped = not member.dtype.isnative
                yield (
                    np.frombuffer(block, member.dtype).astype(native).tobytes()
                    if swapped
                    else block
                )
    except OSError as error:
        raise ValueError(one_line(error)) from error
    if done != member.nbytes:
        raise ValueError(f"it has {done} bytes, not {member.nbytes}")


def _filled(entry: IO[bytes], size: int) -> bytes:
    """Return the next ``size`` bytes, or all remaining ones, in reads that ``open_npz`` allows."""
    pieces = []
    while size and (piece := entry.read(min(size, _BLOCK))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)

"""Regular files, opened without following a link."""

import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open the regular file at ``path`` and return its descriptor.

    Raises:
        OSError: The file cannot be opened, or is a link, a pipe, a device or a folder.
    """
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _odd(path, "a link, which is not followed") from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _odd(path, "not a regular file")
    return handle


def read_regular(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file of at most ``limit`` bytes.

    Raises:
        OSError: As for ``open_regular``, or the file is larger.
    """
    with open(open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise _odd(path, f"too large: {size:,} bytes, and at most {limit:,} are read")
        return file.read(limit)


def _odd(path: Path, what: str) -> OSError:
    return OSError(errno.EINVAL, f"it is {what}", str(path))

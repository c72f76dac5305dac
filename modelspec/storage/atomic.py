"""Files that are written to the disk completely or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WEIGHTS = ".weights.h5"


@contextmanager
def replacing(path: Path, *, follow: bool = True) -> Iterator[Path]:
    """Yield a path to write to; its file replaces ``path`` once it is complete on the disk.

    Of a symbolic link, the target is replaced; without ``follow``, the link itself.

    Raises:
        OSError: ``path`` cannot be written, or is a pipe or a device, which is never replaced.
    """
    path = path.resolve() if follow and path.is_symlink() else path
    if path.exists() and not path.is_file() and (follow or not path.is_symlink()):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    # Keras recognizes a file of weights by both of its suffixes.
    suffix = _WEIGHTS if path.name.endswith(_WEIGHTS) else path.suffix
    aside = path.with_name(f".{path.name.removesuffix(suffix)}.{os.getpid()}{suffix}")
    try:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.filename in (None, str(aside)) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Write a folder's new entry to the disk, so that it survives a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

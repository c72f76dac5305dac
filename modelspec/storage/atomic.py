"""Files that are on the disk whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WEIGHTS = ".weights.h5"


@contextmanager
def replacing(path: Path, *, follow: bool = True) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` once it is whole on the disk.

    A symbolic link stays, and what it names is replaced; without ``follow``, the link is replaced.

    Raises:
        OSError: where it cannot be written, or is a pipe or a device, whose place no file may take.
    """
    path = path.resolve() if follow and path.is_symlink() else path
    if path.exists() and not path.is_file() and (follow or not path.is_symlink()):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    # Keras tells a file of weights by both of its suffixes.
    suffix = _WEIGHTS if path.name.endswith(_WEIGHTS) else path.suffix
    aside = path.with_name(f".{path.name.removesuffix(suffix)}.{os.getpid()}{suffix}")
    try:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(path)
        _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Let a new name outlive a loss of power, as its contents do."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

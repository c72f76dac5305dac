"""The configuration in a ``.keras`` file, read as data."""

import json
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

_CONFIG = "config.json"
_LIMIT = 256 << 20

_DEFLATE = 1032
"""The largest ratio by which DEFLATE compresses."""


def read_config(source: Path | IO[bytes]) -> dict[str, Any]:
    """Read ``config.json`` in a ``.keras`` file, from its path or an open file.

    Raises:
        ValueError: The file has no config, or one that is too large or not JSON.
    """
    try:
        with ZipFile(source) as archive:
            if archive.getinfo(_CONFIG).file_size > _LIMIT:
                raise ValueError(f"its {_CONFIG} is larger than {_LIMIT:,} bytes")
            config = json.loads(archive.read(_CONFIG))
    except (BadZipFile, KeyError, OSError, RecursionError, NotImplementedError) as error:
        raise ValueError(f"its {_CONFIG} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"its {_CONFIG} is not a mapping")  # noqa: TRY004 - a file, not an argument
    return config


def largest_contents(path: Path) -> int:
    """Return the most bytes that the members of an archive can have, whatever their headers say.

    Raises:
        ValueError: The file is not an archive.
    """
    try:
        with ZipFile(path) as archive:
            return sum(
                min(member.file_size, member.compress_size * _DEFLATE)
                for member in archive.infolist()
            )
    except (BadZipFile, OSError, NotImplementedError) as error:
        raise ValueError(f"it cannot be read: {error}") from error

"""The configuration in a ``.keras`` file, read as data."""

import json
import re
import stat
from pathlib import Path, PurePosixPath
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from modelspec.storage.installed import installed_version

_CONFIG = "config.json"
_METADATA = "metadata.json"
_LIMIT = 256 << 20
_METADATA_LIMIT = 1 << 16

_MEMBERS = 3
"""The members of every archive: its metadata, its config and its weights."""

UPGRADE = "pip install --upgrade keras"
"""The advice where a newer Keras saved a file."""

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


def has_assets(path: Path) -> bool:
    """Return True where Keras would unpack an archive: it has more than config and weights.

    Raises:
        ValueError: A name in the archive leads out of it.
    """
    with ZipFile(path) as archive:
        members = archive.infolist()
    folders = {parent for member in members for parent in PurePosixPath(member.filename).parents}
    for member in members:
        name = PurePosixPath(member.filename)
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        is_folder = name in folders and not member.is_dir()
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
            raise ValueError(f"its member {member.filename[:80]!r} leads out of the archive")
        if is_link or is_folder:
            raise ValueError(f"its member {member.filename[:80]!r} is not a plain file")
    return len(members) > _MEMBERS


def newer_keras(source: Path | IO[bytes]) -> str | None:
    """A clause about the Keras that saved a ``.keras`` file, if it is newer than the installed one.

    Errors about such a file are likely to come from that. A file that cannot be read gives None.
    """
    try:
        with ZipFile(source) as archive, archive.open(_METADATA) as member:
            theirs = json.loads(member.read(_METADATA_LIMIT))["keras_version"]
    except (BadZipFile, LookupError, OSError, RecursionError, TypeError, ValueError, RuntimeError):
        return None
    ours = installed_version("keras")
    release = _release(theirs)
    if release is None or release <= (_release(ours) or release):
        return None
    return f"Keras {'.'.join(map(str, release))} saved it, but the installed Keras is {ours}"


def _release(version: Any) -> tuple[int, ...] | None:
    """The numbers of a version: (3, 15, 1)."""
    start = re.match(r"\d{1,6}(\.\d{1,6}){1,3}", version) if isinstance(version, str) else None
    return tuple(int(number) for number in start[0].split(".")) if start else None

"""The catalogue on disk, so that Keras's source is read once for each installation."""

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from modelspec.catalog.entries import Payload

FORMAT = 1
"""Raised whenever the survey would read the same Keras differently."""


def key(version: str, folder: Path) -> str:
    """What a cached catalogue depends on: the format, and which Keras is installed where."""
    changed = (folder / "__init__.py").stat().st_mtime_ns
    return hashlib.sha256(f"{FORMAT}|{version}|{folder}|{changed}".encode()).hexdigest()


def load(name: str) -> Payload | None:
    """A catalogue as it was stored; None if there is none, or not a whole one."""
    try:
        digest, _, body = _path(name).read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return None
        payload: Payload = json.loads(body)
    except (OSError, ValueError, RuntimeError):
        return None
    return payload


def store(name: str, payload: Payload) -> None:
    """Stores it in one step, so that no reader sees half; a folder that refuses is no matter."""
    body = json.dumps(payload, separators=(",", ":")).encode()
    with suppress(OSError, RuntimeError):
        path = _path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink()
            raise


def _path(name: str) -> Path:
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification has relative paths ignored.
    folder = given if given.is_absolute() else Path.home() / ".cache"
    return folder / "modelspec" / f"catalog-{name[:16]}.json"

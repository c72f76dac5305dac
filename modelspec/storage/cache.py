"""Small JSON values in the user's cache folder; a lost value costs only time."""

import functools
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_KEPT = 500


def key(*parts: str) -> str:
    """Return a name for a value that depends on ``parts``."""
    return hashlib.sha256("|".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@functools.cache
def code_stamp() -> str:
    """Return a hash of modelspec's own code, because values of older code may be wrong.

    It covers the package, wherever this file is in it, and is read once in a process.
    """
    return str(max(_source_times(str(_package()))))


def _source_times(folder: str) -> Iterator[int]:
    """Yield the time of each Python file in a folder, in a third of the time of ``Path.rglob``."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _source_times(entry.path)
            elif entry.name.endswith(".py"):
                yield entry.stat().st_mtime_ns


def _package() -> Path:
    spec = find_spec("modelspec")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def load(kind: str, name: str) -> Any | None:
    """Return a stored value; None if it is missing or damaged."""
    try:
        digest, _, body = _path(kind, name).read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return None
        return json.loads(body)
    except (OSError, ValueError, RuntimeError):
        return None


def store(kind: str, name: str, value: Any) -> None:
    """Store a value atomically; errors of the folder are ignored."""
    import tempfile  # its imports take longer than loading a value

    body = json.dumps(value, separators=(",", ":")).encode()
    with suppress(OSError, RuntimeError):
        path = _path(kind, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink()
            raise
        _prune(path.parent)


def _prune(folder: Path) -> None:
    """Delete the oldest values of a kind above the limit."""
    stored = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for path in stored[:-_KEPT]:
        path.unlink(missing_ok=True)


def folder(kind: str) -> Path:
    """Return the folder of the values of a kind.

    Raises:
        RuntimeError: The user has no home folder.
    """
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification says that relative paths are ignored.
    cache = chosen if chosen.is_absolute() else Path.home() / ".cache"
    return cache / "modelspec" / kind


def _path(kind: str, name: str) -> Path:
    return folder(kind) / f"{name}.json"

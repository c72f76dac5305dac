"""Arguments that name files, and paths that leave their folder."""

import re
from pathlib import PurePosixPath, PureWindowsPath

from modelspec.catalog.entries import Argument, Entry
from modelspec.runs.layout import OWN

_READ = frozenset({"vocabulary"})
"""Arguments of layers that take values, or a file with the values."""

_TEXT = frozenset({"separator"})
"""The callbacks' only string that is free text; all others may be paths."""

_FIELD = re.compile(r"\{\w+(?::0?\d*(?:\.\d+)?[defg%]?)?\}")
"""A field of ModelCheckpoint's file name; other formats could insert a slash (``{epoch:/>9}``)."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def reads_file(entry: Entry, argument: Argument) -> bool:
    """Return True where a string in this argument is a file that Keras would read."""
    return entry.family != "callback" and argument.name in _READ


def writes_file(entry: Entry, argument: Argument) -> bool:
    """Return True where a string in this argument may be a file that Keras would write."""
    return entry.family == "callback" and argument.name not in _TEXT


def fields(path: object) -> list[tuple[str, str]]:
    """Return the fields of a file name, each with its format: ``{val_loss:.2f}``, or empty."""
    pattern = r"\{(\w+)(?::([^{}]*))?\}"
    return re.findall(pattern, path) if isinstance(path, str) else []


def unknown_field(path: str) -> str | None:
    """Return a field of a file name that does not begin with a name and a colon: ``{a.b}``."""
    written = re.findall(r"\{[^{}]*\}", path)
    return next((field for field in written if not re.match(r"\{\w+[:}]", field)), None)


def is_taken(path: str) -> bool:
    """Return True where a path names the run's folder, or one of the run's own files."""
    first = next(iter(PurePosixPath(path).parts), None)
    return first is None or first in OWN


def escapes(path: str) -> bool:
    """Return True where a path may lead out of the folder it is relative to, on any system."""
    plain = _FIELD.sub("0", path)
    parts = {*PurePosixPath(plain).parts, *PureWindowsPath(plain).parts}
    return (
        plain.startswith(("/", "\\", "~"))
        or ".." in parts
        or bool(_SCHEME.match(plain))
        or any(character in plain for character in "{}\0")
    )

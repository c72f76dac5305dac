"""Paths of files that a spec names, relative to the spec's own file."""

import os
from pathlib import Path

from modelspec.language.document import Document
from modelspec.problems.diagnostic import did_you_mean


def folder_of(document: Document) -> Path:
    """Return the folder of a spec's relative paths: its own, or the current one for a text."""
    named = not document.name.startswith("<")
    return Path(document.name).parent if named else Path()


def path_from(folder: Path, path: str) -> Path:
    return folder / Path(path).expanduser()


def moved(path: str, folder: Path, other: Path) -> str:
    """Rewrite a path that is relative to ``folder`` as one that is relative to ``other``."""
    if Path(path).expanduser().is_absolute():
        return path
    return Path(os.path.relpath(folder.absolute() / path, other.absolute())).as_posix()


def written_from(path: Path, spec: str) -> str:
    """Rewrite a path that is relative to the current folder as one relative to the spec's."""
    folder = Path() if spec == "-" else Path(spec).parent
    return str(path) if path.is_absolute() else moved(str(path), Path(), folder)


def near_name(path: Path) -> str | None:
    """Return a hint with the nearest name in the folder of a path that does not exist."""
    try:
        return did_you_mean(path.name, (sibling.name for sibling in path.parent.iterdir()))
    except OSError:
        return None

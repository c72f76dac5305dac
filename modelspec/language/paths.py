"""Paths of files that a spec names, relative to the spec's own file."""

import os
from pathlib import Path

from modelspec.language.document import Document
from modelspec.problems.diagnostic import did_you_mean


def folder_of(document: Document) -> Path:
    """The folder that a spec's paths start from: its own, or the current one for a text."""
    named = not document.name.startswith("<")
    return Path(document.name).parent if named else Path()


def path_from(folder: Path, path: str) -> Path:
    return folder / Path(path).expanduser()


def moved(path: str, folder: Path, other: Path) -> str:
    """A path that starts from ``folder``, as it is written from ``other``."""
    if Path(path).expanduser().is_absolute():
        return path
    return Path(os.path.relpath(folder.absolute() / path, other.absolute())).as_posix()


def written_from(path: Path, spec: str) -> str:
    """A path that starts from the current folder, as the spec at ``spec`` writes it."""
    folder = Path() if spec == "-" else Path(spec).parent
    return str(path) if path.is_absolute() else moved(str(path), Path(), folder)


def near_name(path: Path) -> str | None:
    """A hint with the name of a file beside a path that does not exist."""
    try:
        return did_you_mean(path.name, (sibling.name for sibling in path.parent.iterdir()))
    except OSError:
        return None

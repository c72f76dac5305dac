"""Keras callbacks of a spec, kept within the run's folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelspec.backend.objects import make
from modelspec.catalog import Catalog

_PATHS = frozenset({"filepath", "filename", "log_dir", "backup_dir", "directory"})


def make_callbacks(catalog: Catalog, written: Sequence[Any], folder: Path) -> list[Any]:
    """The callbacks, with every path that they write to put under ``folder``."""
    return [make(catalog, "callback", _within(catalog, value, folder)) for value in written]


def _within(catalog: Catalog, value: Any, folder: Path) -> dict[str, Any]:
    name, arguments = next(iter(value.items())) if isinstance(value, dict) else (value, None)
    entry = catalog.find("callback", name)
    given = dict(arguments or {})
    if entry is not None:
        for path in _PATHS & entry.arguments.keys():
            default = (entry.arguments[path].default or "").strip("'\"")
            given[path] = str(folder / str(given.get(path, default)))
    return {name: given}

"""What the installed Keras offers, without importing it."""

import functools
from importlib.util import find_spec
from pathlib import Path

from modelspec.catalog.entries import FAMILIES, Argument, Catalog, Entry, Family, Payload
from modelspec.catalog.source import Source
from modelspec.catalog.survey import release, survey
from modelspec.storage import cache

__all__ = ["FAMILIES", "Argument", "Catalog", "Entry", "Family", "load"]


@functools.cache
def load() -> Catalog:
    """The catalogue of the installed Keras, from the user's cache folder if it is there."""
    return Catalog(_read(_keras()))


def _keras() -> Path:
    spec = find_spec("keras")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("Keras is not installed", name="keras")
    return Path(spec.submodule_search_locations[0])


def _read(folder: Path) -> Payload:
    source = Source("keras", folder)
    changed = (folder / "__init__.py").stat().st_mtime_ns
    code = cache.code_stamp()
    name = cache.key(code, release(source), str(folder), str(changed))
    payload: Payload | None = cache.load("catalog", name)
    if payload is None:
        payload = survey(source)
        cache.store("catalog", name, payload)
    return payload

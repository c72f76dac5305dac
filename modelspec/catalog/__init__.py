"""The catalogue of the installed Keras, read without importing it."""

import functools
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from modelspec.catalog.entries import FAMILIES, Argument, Catalog, Entry, Family, Payload
from modelspec.catalog.inquiry import inquire
from modelspec.catalog.source import UNKNOWN, Source
from modelspec.catalog.survey import has_layers, is_whole, survey
from modelspec.problems.errors import KerasError
from modelspec.storage import cache

OLDEST = "3.14"
"""The oldest Keras that the tests pass with."""

__all__ = ["FAMILIES", "Argument", "Catalog", "Entry", "Family", "load"]


@functools.cache
def load() -> Catalog:
    """Load the catalogue of the installed Keras, from the user's cache folder if it is there."""
    return Catalog(_read(_keras()))


def _keras() -> Path:
    spec = find_spec("keras")
    # A folder named keras without code in it passes for a package too.
    if spec is None or spec.origin is None:
        raise KerasError(f'Keras is not installed: pip install "keras>={OLDEST}" tensorflow')
    return Path(spec.origin).parent


def _read(folder: Path) -> Payload:
    source = Source("keras", folder)
    changed = (folder / "__init__.py").stat().st_mtime_ns
    name = cache.key(cache.code_stamp(), source.version, str(folder), str(changed))
    payload: Payload | None = cache.load("catalog", name)
    if payload is None:
        payload = _made(source, folder)
        cache.store("catalog", name, payload)
    return payload


def _made(source: Source, folder: Path) -> Payload:
    """From the source text; from Keras itself where its files are not where we know them."""
    written = survey(source)
    if is_whole(written):
        return written
    why = "it has no layer Dense"
    try:
        told = inquire()
    except KerasError as error:
        told, why = written, str(error)
    if has_layers(told):
        return told
    versions = (written["version"], told["version"], _installed_version())
    version = next(each for each in versions if each != UNKNOWN)
    raise KerasError(
        f"cannot tell what Keras {version} in {folder} offers: {why}; "
        f'install a release that modelspec can read: pip install "keras>={OLDEST}"'
    )


def _installed_version() -> str:
    try:
        return metadata.version("keras")
    except metadata.PackageNotFoundError:
        return "of an unknown version"

"""The catalogue of the installed Keras, read without importing it."""

import functools
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from modelspec.catalog.entries import FAMILIES, Argument, Catalog, Entry, Family, Payload
from modelspec.catalog.inquiry import inquire
from modelspec.catalog.plugins import Plugin, active_plugins
from modelspec.catalog.source import UNKNOWN, Source
from modelspec.catalog.survey import has_layers, is_whole, survey
from modelspec.problems.errors import KerasError
from modelspec.storage import cache

OLDEST = "3.14"
"""The oldest Keras with which the tests pass."""

__all__ = ["FAMILIES", "Argument", "Catalog", "Entry", "Family", "load"]


def load() -> Catalog:
    """Return the catalogue of the installed Keras, with the parts of the active plugins.

    The part of Keras comes from the user's cache folder if it is there.

    Raises:
        PluginError: A plugin's part has the name of a part of Keras or of another plugin.
    """
    return _loaded(active_plugins())


@functools.lru_cache(maxsize=8)
def _loaded(plugins: tuple[Plugin, ...]) -> Catalog:
    folder = _keras()
    payload = _read(folder)
    if not plugins:
        return Catalog(payload)
    from modelspec.catalog.own_parts import with_plugins

    return Catalog(with_plugins(payload, plugins, Source("keras", folder)), plugins)


def _keras() -> Path:
    spec = find_spec("keras")
    # Python also finds an empty folder named keras as a package.
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
    """Return the catalogue from Keras's source text, or from Keras itself if that is unreadable."""
    written = survey(source)
    if is_whole(written):
        return written
    why = "it has no layer Dense"
    try:
        asked = inquire()
    except KerasError as error:
        asked, why = written, str(error)
    if has_layers(asked):
        return asked
    versions = (written["version"], asked["version"], _installed_version())
    version = next(version for version in versions if version != UNKNOWN)
    raise KerasError(
        f"cannot tell what Keras {version} in {folder} offers: {why}; "
        f'install a release that modelspec can read: pip install "keras>={OLDEST}"'
    )


def _installed_version() -> str:
    try:
        return metadata.version("keras")
    except metadata.PackageNotFoundError:
        return "of an unknown version"

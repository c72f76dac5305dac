"""The catalogue of the installed Keras, read without importing it.

Modules that create a catalogue are imported inside the functions, because the cache has it already
in nearly all commands.
"""

import functools
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from modelspec.catalog.entries import FAMILIES, Argument, Catalog, Entry, Family, Payload
from modelspec.catalog.plugins import Plugin, active_plugins
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
    from modelspec.catalog.source import Source

    return Catalog(with_plugins(payload, plugins, Source("keras", folder)), plugins)


def _keras() -> Path:
    spec = find_spec("keras")
    # Python also finds an empty folder named keras as a package.
    if spec is None or spec.origin is None:
        raise KerasError(f'Keras is not installed: pip install "keras>={OLDEST}" tensorflow')
    return Path(spec.origin).parent


def _read(folder: Path) -> Payload:
    changed = (folder / "__init__.py").stat().st_mtime_ns
    name = cache.key(cache.code_stamp(), _version_text(folder), str(folder), str(changed))
    payload: Payload | None = cache.load("catalog", name)
    if payload is None:
        payload = _made(folder)
        cache.store("catalog", name, payload)
    return payload


def _version_text(folder: Path) -> str:
    """Return the text of the module that states Keras's version; "" where Keras has none."""
    with suppress(OSError):
        return (folder / "src" / "version.py").read_text("utf-8", "replace")
    return ""


def _made(folder: Path) -> Payload:
    """Return the catalogue from Keras's source text, or from Keras itself if that is unreadable."""
    from modelspec.catalog.inquiry import inquire
    from modelspec.catalog.source import UNKNOWN, Source
    from modelspec.catalog.survey import has_layers, is_whole, survey

    written = survey(Source("keras", folder))
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
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("keras")
    except PackageNotFoundError:
        return "of an unknown version"

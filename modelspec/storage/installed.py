"""Versions of installed packages."""

from importlib.metadata import PackageNotFoundError, packages_distributions, version

UNKNOWN = "unknown"


def installed_version(package: str) -> str:
    """Return the version of a package, also where another distribution provides it.

    ``tensorflow`` comes from ``tensorflow``, ``tensorflow-cpu`` or ``tf-nightly``. A package on
    Python's path without metadata has the version ``unknown``.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        # The scan of all distributions takes about 50 ms.
        providers = packages_distributions().get(package.replace("-", "_"), [])
        return version(providers[0]) if providers else UNKNOWN

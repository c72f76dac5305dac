"""polars, an optional dependency, imported when the first table is read."""

from typing import Any

from modelspec.data.tables.faults import TableError


def polars() -> Any:
    """Return the module polars.

    Raises:
        TableError: polars is not installed.
    """
    try:
        import polars as pl
    except ImportError:
        raise TableError(
            "missing-package",
            "reading tables needs the package polars",
            'pip install "keras-modelspec[tables]"',
        ) from None
    return pl

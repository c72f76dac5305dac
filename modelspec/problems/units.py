"""Sizes in bytes, formatted for people."""

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def size(count: float) -> str:
    """Format a number of bytes with a unit: ``13.5 KB``, by powers of 1,000."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:  # noqa: PLR2004 - the step between units
            return f"{count:.0f} {unit}" if unit == _UNITS[0] else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError

"""NumPy's slicing as text: ``[:, -1, ::2]``."""

import re
from types import EllipsisType

Key = slice | int | EllipsisType | None

_INTEGER = re.compile(r"[+-]?\d{1,10}")
_NEW_AXIS = {"None", "null", "newaxis"}
_MOST_PARTS = 3


class SliceError(ValueError):
    """Text that is not a slice; the message names the wrong part and the reason."""


def read_slices(written: object) -> tuple[Key, ...]:
    """Return the index that a text, with or without brackets, or a number means.

    Raises:
        SliceError: The value is not a slice.
    """
    if isinstance(written, int) and not isinstance(written, bool):
        return (written,)
    if not isinstance(written, str):
        raise SliceError('a slice is written as text, as in "[:, -1, ::2]"')
    text = written.strip()
    if text.startswith("[") != text.endswith("]"):
        raise SliceError(f"{written} has one bracket without the other")
    inside = text.removeprefix("[").removesuffix("]").strip()
    if not inside:
        raise SliceError("the slice is empty")
    if "[" in inside or "]" in inside:
        raise SliceError("a list of indices is not a slice: ops.take: {indices: [...], axis: 1}")
    parts = inside.removesuffix(",").split(",")
    keys = tuple(_read_part(part.strip()) for part in parts)
    if keys.count(...) > 1:
        raise SliceError("... can occur only once in a slice")
    return keys


def _read_part(part: str) -> Key:
    if part == "...":
        return ...
    if part in _NEW_AXIS:
        return None
    if ":" not in part:
        return _integer(part)
    bounds = part.split(":")
    if len(bounds) > _MOST_PARTS:
        raise SliceError(f"{part} has more than start:stop:step")
    start, stop, step = (
        _integer(bound.strip()) if bound.strip() else None for bound in [*bounds, ""][:3]
    )
    if step == 0:
        raise SliceError(f"the step of {part} is 0")
    return slice(start, stop, step)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        shown = text or "an empty part"
        raise SliceError(f"{shown} is neither an integer nor start:stop:step")
    return int(text)

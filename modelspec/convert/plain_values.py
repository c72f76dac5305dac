"""Saved values → numbers, texts, lists and mappings for YAML."""

import math
import re
import struct
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 40
_LARGEST = 2**64
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


class GapError(Exception):
    """A part that a spec cannot contain; the message names it."""


def plain(saved: Any, depth: int = 0) -> Any:
    """Return numbers, texts, lists and mappings; Keras's marks of tuples and arrays are resolved.

    Raises:
        GapError: It is an object.
    """
    if depth > MAX_DEPTH:
        raise GapError("its arguments are nested too deeply")
    if isinstance(saved, list | tuple):
        return [plain(item, depth + 1) for item in saved]
    if not isinstance(saved, Mapping):
        return _writable(saved)
    kind, config = saved.get("class_name"), saved.get("config")
    if kind is None:
        return {_writable(key): plain(item, depth + 1) for key, item in saved.items()}
    if kind == "__tuple__":
        return plain(saved.get("items") or [], depth + 1)
    if kind in ("__numpy__", "__tensor__") and isinstance(config, Mapping):
        return plain(config.get("value"), depth + 1)
    if kind == "DTypePolicy" and isinstance(config, Mapping):
        return plain(config.get("name"), depth + 1)
    raise GapError(f"{str(kind)[:80]!r} is an object that a spec cannot contain there")


def _writable(value: Any) -> Any:
    """Return a number or a text that YAML can represent.

    Raises:
        GapError: YAML cannot represent it.
    """
    if isinstance(value, str) and _CONTROL.search(value):
        raise GapError("it contains a text with control characters, which YAML cannot contain")
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise GapError("it contains an integer of more than 64 bits")
    return value


def same(value: Any, default: Any) -> bool:
    """Return True where two plain values mean the same in Keras: tuples are lists, and 1 is 1.0."""
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return len(value) == len(default) and all(map(same, value, default))
    if isinstance(value, bool) or isinstance(default, bool):
        return value is default
    return bool(value == default)


def short_float(value: Any) -> Any:
    """Return the shortest number with the same value in single precision, which Keras uses."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    try:
        single = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return value
    if single != value:
        return value
    for digits in range(1, 10):
        text = float(f"{value:.{digits}g}")
        if struct.unpack("f", struct.pack("f", text))[0] == single:
            return text
    return value


def one_for_all(value: Any, *, inner: bool = False) -> Any:
    """Convert ``[3, 3]`` to 3; with ``inner``, ``[[1, 1], [2, 2]]`` to ``[1, 2]``."""
    if not isinstance(value, list | tuple) or not value:
        return value
    if inner:
        return [one_for_all(item) for item in value]
    first = value[0]
    flat = type(first) is int and all(type(item) is int and item == first for item in value)
    return first if flat else list(value)

"""Samples for people: images as pictures, texts and rows of numbers as text."""

import struct
import zlib
from typing import Any

import numpy as np

from modelspec.data.concatenated import Array
from modelspec.results.evaluated import Shown

_LEAST, _LARGEST = 4, 96
_VALUES = 12
_WORDS = 60
_CHANNELS = (1, 3, 4)


def show(name: str, value: Any) -> Shown:
    """Return one sample of an input; a text or a number where a sample has no axes."""
    picture = _as_picture(np.asarray(value))
    if picture is not None:
        return Shown(name, png=_png(picture))
    return Shown(name, text=text_of(value))


def text_of(value: Any) -> str:
    """Return numbers in few digits, text unchanged, and the beginning of long rows."""
    array = np.asarray(value)
    if array.dtype.kind in "OSU":
        return " ".join(map(_decoded, array.reshape(-1)[:_WORDS]))
    flat = array.reshape(-1)
    most = _WORDS if array.dtype.kind in "iu" else _VALUES
    words = [_number(item) for item in flat[:most]]
    shape = f"{array.shape} " if array.ndim > 1 else ""
    if flat.size == 1:
        return words[0]
    return f"{shape}[{', '.join(words)}{', …' if flat.size > most else ''}]"


def _decoded(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _number(value: Any) -> str:
    return str(int(value)) if np.issubdtype(type(value), np.integer) else f"{float(value):.4g}"


def _as_picture(value: Array) -> Array | None:
    """Return grey values or colours from 0 to 255, reduced in size; None if it is not an image."""
    if value.dtype.kind not in "fiu" or value.ndim not in (2, 3):
        return None
    rows, columns, *channels = value.shape
    if min(rows, columns) < _LEAST or (channels and channels[0] not in _CHANNELS):
        return None
    if max(rows, columns) > 8 * min(rows, columns):
        return None
    step = -(-max(rows, columns) // _LARGEST)
    small = np.nan_to_num(value[::step, ::step].astype(np.float64))
    low, high = small.min(), small.max()
    scaled = (small - low) / (high - low if high > low else 1) * 255
    if channels and channels[0] == 1:
        scaled = scaled[..., 0]
    elif channels:
        scaled = scaled[..., :3]
    pixels: Array = scaled.astype(np.uint8)
    return pixels


def _png(pixels: Array) -> bytes:
    """Return an image file, by the PNG specification: grey, or red, green and blue."""
    colour = 2 if pixels.ndim == len(("row", "column", "channel")) else 0
    rows, columns = pixels.shape[:2]
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", columns, rows, 8, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body

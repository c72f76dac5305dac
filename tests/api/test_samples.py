"""Samples as people look at them."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest

from modelspec.api.samples import show


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("<b>good</b>", "<b>good</b>"),
        (b"caf\xc3\xa9", "caf\u00e9"),
        (np.array(["a", "b"], object), "a b"),
        (np.float32(1.5), "1.5"),
        (np.int64(7), "7"),
        (np.array([1, 2, 3]), "[1, 2, 3]"),
        (np.array([True, False]), "[1, 0]"),
        (np.linspace(0, 1, 30, dtype="f"), "[0, 0.03448, 0.06897"),
        (np.zeros((2, 3), "f"), "(2, 3) [0, 0"),
        (np.array([np.nan, np.inf]), "[nan, inf]"),
    ],
)
def test_texts_and_numbers_are_written(value: Any, text: str) -> None:
    shown = show("x", value)
    assert shown.text.startswith(text)
    assert not shown.png


@pytest.mark.parametrize(
    ("shape", "size", "colour"),
    [
        ((8, 8), (8, 8), 0),
        ((28, 20, 1), (20, 28), 0),
        ((200, 100, 3), (34, 67), 2),
        ((6, 6, 4), (6, 6), 2),
    ],
)
@pytest.mark.parametrize("dtype", ["f", "u1", "i4"])
def test_images_are_drawn(
    shape: tuple[int, ...], size: tuple[int, int], colour: int, dtype: str
) -> None:
    value = (np.random.default_rng(0).random(shape) * 250).astype(dtype)
    raw = show("x", value).png
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    columns, rows, depth, kind = struct.unpack(">IIBB", raw[16:26])
    assert ((columns, rows), depth, kind) == (size, 8, colour)
    start = raw.index(b"IDAT") + 4
    length = struct.unpack(">I", raw[start - 8 : start - 4])[0]
    pixels = zlib.decompress(raw[start : start + length])
    assert len(pixels) == rows * (1 + columns * (3 if colour else 1))
    assert max(pixels) == 255


@pytest.mark.parametrize("shape", [(3, 3), (8, 100), (8, 8, 2), (4, 4, 4, 3)])
def test_other_arrays_are_not_images(shape: tuple[int, ...]) -> None:
    assert not show("x", np.zeros(shape, "f")).png

"""Slices as text mean the same as in NumPy, and nothing else is accepted."""

from typing import Any

import numpy as np
import pytest

from modelspec.language.slices import SliceError, read_slices

ARRAY = np.arange(4 * 5 * 6).reshape(4, 5, 6)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[:, -1, ::2]", np.s_[:, -1, ::2]),
        (":, 1:3", np.s_[:, 1:3]),
        ("[..., 0]", np.s_[..., 0]),
        ("[:, None, 2]", np.s_[:, None, 2]),
        ("[:, newaxis]", np.s_[:, None]),
        ("[ : , :-1 , 4:0:-2 ]", np.s_[:, :-1, 4:0:-2]),
        ("[2]", np.s_[2,]),
        ("[::-1]", np.s_[::-1,]),
        ("[:, +2,]", np.s_[:, 2]),
        (3, np.s_[3,]),
    ],
)
def test_numpys_meaning(text: Any, key: Any) -> None:
    np.testing.assert_array_equal(ARRAY[read_slices(text)], ARRAY[key])


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "[:", ":]", "[[0, 1]]", "[:, [0]]", "[a]", "[1.5]", "[1::0]", "[::1:2]"),
        *("[..., ...]", "[__import__('os')]", "[:, ,]", "[1e3]", "[0x1]", "[99999999999]"),
        *(True, None, 1.5, [0], {"a": 1}),
    ],
)
def test_what_is_no_slice(text: Any) -> None:
    with pytest.raises(SliceError):
        read_slices(text)

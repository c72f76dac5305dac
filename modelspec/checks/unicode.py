"""Checks that text in data is Unicode."""

import numpy as np

from modelspec.checks.rows import first_row
from modelspec.data.arrays import row_blocks
from modelspec.data.concatenated import Array, Column
from modelspec.graph.graph import Input
from modelspec.problems.diagnostic import Diagnostic

_TEXT_BLOCK = 1 << 20
_SURROGATES = 0xD800 >> 11
_ASCII = 127


def not_unicode(declared: Input, name: str, array: Column) -> Diagnostic | None:
    """Return the problem of text that is not Unicode: invalid UTF-8, or lone surrogates."""
    if array.dtype.kind == "S":
        return _not_utf8(declared, name, array)
    if array.dtype.kind != "U" or not array.dtype.itemsize:
        return None
    for rows in row_blocks(array, _TEXT_BLOCK):
        codes = rows.astype(rows.dtype.newbyteorder("=")).reshape(-1).view(np.uint32)
        if bool(((codes >> 11) == _SURROGATES).any()):
            break
    else:
        return None
    row = first_row(array, _has_surrogate)
    message = (
        f"array {name} contains a string with a lone surrogate, first in {row}, "
        "which is not valid Unicode"
    )
    hint = (
        f'{name}.astype(object) with .encode("utf-8", "replace").decode() '
        "for each string repairs it"
    )
    return Diagnostic("wrong-dtype", message, declared.route, hint=hint)


def _not_utf8(declared: Input, name: str, array: Column) -> Diagnostic | None:
    if not array.dtype.itemsize or all(map(_is_utf8, row_blocks(array, _TEXT_BLOCK))):
        return None
    row = first_row(array, _is_wrong_utf8)
    message = f"array {name} contains bytes that are not UTF-8, first in {row}"
    hint = f'save it as text: numpy.char.decode({name}, "latin-1"), or in its own encoding'
    return Diagnostic("wrong-dtype", message, declared.route, hint=hint)


def _is_utf8(rows: Array) -> bool:
    """Return True where all rows are UTF-8; bytes below 128 need no decoding."""
    codes = rows.reshape(-1).view(np.uint8)
    return not bool((codes > _ASCII).any()) or not bool(_is_wrong_utf8(rows).any())


def _is_wrong_utf8(rows: Array) -> Array:
    def is_wrong(text: bytes) -> bool:
        try:
            text.decode()
        except UnicodeDecodeError:
            return True
        return False

    wrong = [is_wrong(text) for text in rows.reshape(-1).tolist()]
    return np.array(wrong, np.bool_).reshape(rows.shape)


def _has_surrogate(rows: Array) -> Array:
    width = rows.dtype.itemsize // 4
    codes = np.ascontiguousarray(rows.astype(rows.dtype.newbyteorder("="))).view(np.uint32)
    wrong: Array = (codes.reshape(*rows.shape, width) >> 11) == _SURROGATES
    return wrong

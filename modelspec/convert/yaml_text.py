"""Plain data → YAML text as people write specs: flow style, wrapped, quoted only where needed."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from modelspec.language.yaml_tree import resolve_scalar

WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*(?: [A-Za-z0-9_.\-]+)*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_BREAK = "\0"
"""A mark where a line may be broken; texts do not contain it, because it is escaped there."""

_BYTE, _PLANE = 0xFF, 0xFFFF


class Expression(str):
    """A text whose ``${…}`` are computed, such as a parameter of a block."""

    __slots__ = ()


def flow(value: Any) -> str:
    """Return a value on one line, with marks where the line may be broken."""
    if isinstance(value, Mapping):
        return f"{{{_joined(f'{scalar(key)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{_joined(map(flow, value))}]"
    return scalar(value)


def _joined(texts: Iterable[str]) -> str:
    return f",{_BREAK}".join(texts)


def scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Expression):
        return _quoted(value)
    return text(str(value))


def text(value: str) -> str:
    """Return a string that is read unchanged: an expression in it is not computed."""
    value = value.encode("utf-8", "replace").decode("utf-8")
    escaped = value.replace("${", "${'$'}{")
    if _PLAIN.fullmatch(escaped) and isinstance(resolve_scalar(escaped), str):
        return escaped
    return _quoted(escaped)


def _quoted(value: str) -> str:
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char == " " or char.isprintable():
        return char
    code = ord(char)
    form = "\\x{:02x}" if code <= _BYTE else "\\u{:04x}" if code <= _PLANE else "\\U{:08x}"
    return form.format(code)


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return re.sub(
        r"e([-+])0*(\d)",
        lambda exponent: f"e{exponent[1].replace('+', '')}{exponent[2]}",
        repr(value),
    )


def lines(start: str, value: str, indent: int) -> list[str]:
    """Break ``start`` and a flow value into lines of at most ``WIDTH``, if possible."""
    if not value:
        return [start]
    first, *rest = value.split(_BREAK)
    wrapped = [f"{start} {first}"]
    for part in rest:
        if len(wrapped[-1]) + 1 + len(part) <= WIDTH:
            wrapped[-1] = f"{wrapped[-1]} {part}"
        else:
            wrapped.append(" " * indent + part)
    return wrapped


def fits(start: str, value: str) -> str | None:
    """Return everything on one line; None if that is too long."""
    whole = start + value.replace(_BREAK, " ")
    return whole if len(whole) <= WIDTH else None


def comment(value: str) -> str:
    """Return a text on one line, for a comment."""
    return "".join(char if char.isprintable() else "?" for char in value)

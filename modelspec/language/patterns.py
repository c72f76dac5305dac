"""Patterns of names: ``*`` stands for any part, ``?`` for one character."""

import re
from collections.abc import Iterable
from functools import cache

_WILD = re.compile(r"([*?])")


def is_pattern(text: str) -> bool:
    return bool(_WILD.search(text))


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a pattern matches as a whole."""
    return [name for name in names if _compiled(pattern).fullmatch(name)]


def renamed(name: str, pattern: str, replacement: str) -> str | None:
    """A name that matches a pattern, with what each ``*`` stood for put into the replacement.

    None where the name does not match.
    """
    match = _compiled(pattern).fullmatch(name)
    if match is None:
        return None
    parts = iter(match.groups())
    return re.sub(r"\*", lambda _: next(parts, ""), replacement)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Adjacent stars would take the matcher forever.
    pieces = _WILD.split(re.sub(r"\*+", "*", pattern))
    known = {"*": "(.*)", "?": "."}
    return re.compile("".join(known.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)

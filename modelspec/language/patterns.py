"""Patterns of names: ``*`` matches any part, ``?`` one character."""

import re
from collections.abc import Iterable
from functools import cache

_WILD = re.compile(r"([*?])")


def is_pattern(text: str) -> bool:
    return bool(_WILD.search(text))


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """Return the names that a pattern matches as a whole."""
    return [name for name in names if _compiled(pattern).fullmatch(name)]


def renamed(name: str, pattern: str, replacement: str) -> str | None:
    """Replace a name that a pattern matches; ``*`` in the replacement is the text it matched.

    Return None where the pattern does not match the name.
    """
    match = _compiled(pattern).fullmatch(name)
    if match is None:
        return None
    parts = iter(match.groups())
    return re.sub(r"\*", lambda _: next(parts, ""), replacement)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # With adjacent stars, the matcher would need exponential time.
    pieces = _WILD.split(re.sub(r"\*+", "*", pattern))
    known = {"*": "(.*)", "?": "."}
    return re.compile("".join(known.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)

"""Text of unknown origin, made harmless for a terminal."""

import re

# C0 and C1 controls except tab and line break, DEL, marks that change the direction of text, and
# the surrogates in which Python stores bytes that are not UTF-8.
_HIDDEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


def visible(text: str) -> str:
    """Escape every character of a text that would control a terminal."""
    return _HIDDEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    # Python stores a byte that is not UTF-8 as a surrogate from U+DC80 on.
    return ascii(match[0])[1:-1].replace("\\udc", "\\x")

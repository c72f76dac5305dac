"""Diagnostics: problems with a route instead of a place."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher, get_close_matches
from typing import Any, Literal

Route = tuple[str | int, ...]
"""Keys and indices from the top of a spec: ``("layers", 3, "Dense", "units")``."""

_COMPARED = 5
"""The number of names that are compared more closely."""

_ALIKE = 0.72
"""The share of equal letters in a name and its correction; with 0.6, Reduce is like GRUCell."""

Severity = Literal["error", "warning"]
Anchor = Literal["key", "value"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of text. Lines and columns count from 1; the end column is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that a reader needs to see to understand a problem."""

    message: str
    route: Route
    anchor: Anchor = "key"
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem.

    ``route`` is the place in the spec; the place in the text is looked up for display. ``anchor``
    chooses the key or the value at the end of the route. ``span`` is set instead where there is no
    route yet (text that is not YAML), and ``file`` where the problem is not in the spec at all (a
    data file that cannot be read). ``text`` is the contents of the file of such a span.
    """

    code: str
    message: str
    route: Route = ()
    anchor: Anchor = "value"
    severity: Severity = "error"
    hint: str | None = None
    related: tuple[Related, ...] = ()
    span: Span | None = None
    file: str | None = None
    text: str = field(default="", repr=False, compare=False)


def line_mark(related: int | None = None) -> str:
    """Return a mark for a line number, which is filled in when the problem is shown.

    The line is that of the problem itself, or of one of its related places.
    """
    return f"\0{'' if related is None else related}\0"


class Unknown:
    """The type of ``UNKNOWN``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "an unknown value"

    def __deepcopy__(self, _memo: object) -> "Unknown":
        return self


UNKNOWN = Unknown()
"""The value of an expression that failed and was reported; later problems with it are hidden."""


def is_echo(problem: Diagnostic, data: Any, above: int = 0) -> bool:
    """Return True where a problem is about an unknown value in ``data``.

    ``above`` is the number of steps of its route that lead to ``data``.
    """
    for step in problem.route[above:]:
        if data is UNKNOWN:
            break
        try:
            data = data[step]
        except (LookupError, TypeError):
            return False
    return data is UNKNOWN


def has_errors(problems: Iterable[Diagnostic]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the nearest right name, in any case; None when no name is near."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    folded = name.lower()
    near = get_close_matches(folded, by_folded, n=_COMPARED, cutoff=0.6)
    # Swapped letters are the likeliest mistake.
    near.sort(key=lambda candidate: sorted(candidate) != sorted(folded))
    return next((by_folded[candidate] for candidate in near if _is_near(folded, candidate)), None)


def _is_near(name: str, candidate: str) -> bool:
    """Return True for names with few different letters, and for the beginning or end of a name."""
    short, long = sorted((name, candidate), key=len)
    if sorted(short) == sorted(long) or long.startswith(short) or long.endswith(short):
        return True
    return SequenceMatcher(None, candidate, name).ratio() >= _ALIKE


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return a hint with the nearest right name; None when no name is near."""
    near = nearest(name, known)
    return offer(near) if near else None


def offer(name: str) -> str:
    """Return the hint that offers a name."""
    return f"did you mean {name}?"

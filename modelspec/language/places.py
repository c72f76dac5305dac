"""Places in the text, looked up for diagnostics."""

import re
from collections.abc import Iterable, Sequence

from modelspec.language.document import Document
from modelspec.problems.diagnostic import Diagnostic, Related, Span
from modelspec.problems.problem import Place, Problem, RelatedPlace

_NOWHERE = Span(1, 1, 1, 1)


def place_all(diagnostics: Iterable[Diagnostic], document: Document | None) -> list[Problem]:
    """Return all diagnostics with their places, without repetition, in the order of the text."""
    placed = dict.fromkeys(_place(diagnostic, document) for diagnostic in diagnostics)
    return sorted(placed, key=lambda problem: (problem.place.file, problem.place.span))


def _place(diagnostic: Diagnostic, document: Document | None) -> Problem:
    place = _look_up(document, diagnostic, diagnostic)
    related = tuple(
        RelatedPlace(other.message, _look_up(document, diagnostic, other))
        for other in diagnostic.related
    )
    return Problem(
        diagnostic.code,
        diagnostic.severity,
        _with_lines(diagnostic.message, place, related),
        place,
        diagnostic.hint,
        related,
    )


def _with_lines(message: str, place: Place, related: Sequence[RelatedPlace]) -> str:
    """Replace every ``line_mark`` in a message with the number of its line."""

    def line(mark: re.Match[str]) -> str:
        marked = related[int(mark[1])].place if mark[1] else place
        return str(marked.span.line)

    return re.sub(r"\0(\d*)\0", line, message)


def _look_up(
    document: Document | None, diagnostic: Diagnostic, target: Diagnostic | Related
) -> Place:
    """Return the place of a diagnostic, or of one of its related places."""
    if diagnostic.file is not None or document is None:
        return Place(diagnostic.file or "<spec>", target.span or _NOWHERE, diagnostic.text)
    if target.span is not None:
        return Place(document.name, target.span, document.text)
    return document.locate(target.route, target.anchor)

"""Diagnostics with their places looked up: what is shown to people and scripts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelspec.diagnostics import Anchor, Diagnostic, Route, Severity, Span
from modelspec.source import Document, Place

_NOWHERE = Span(1, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class RelatedPlace:
    """Another place that belongs to a problem."""

    message: str
    place: Place


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem at its place. Lines and columns count from 1."""

    code: str
    severity: Severity
    message: str
    place: Place
    hint: str | None
    related: tuple[RelatedPlace, ...]


class SpecError(Exception):
    """A spec or its data cannot be used; ``problems`` says why, all of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        errors = [problem for problem in problems if problem.severity == "error"]
        lines = (f"{error.place.file}:{error.place.span.line}: {error.message}" for error in errors)
        super().__init__("\n".join(lines))


def place_all(diagnostics: Iterable[Diagnostic], document: Document | None) -> list[Problem]:
    """Every diagnostic at its place, once, in the order of the text."""
    placed = dict.fromkeys(_place(diagnostic, document) for diagnostic in diagnostics)
    return sorted(placed, key=lambda problem: (problem.place.file, problem.place.span))


def _place(diagnostic: Diagnostic, document: Document | None) -> Problem:
    place = _look_up(
        document, diagnostic.file, diagnostic.span, diagnostic.route, diagnostic.anchor
    )
    related = tuple(
        RelatedPlace(
            other.message,
            _look_up(document, diagnostic.file, other.span, other.route, other.anchor),
        )
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
    """A message with the lines put in that ``line_mark`` stands for."""

    def line(mark: re.Match[str]) -> str:
        found = related[int(mark[1])].place if mark[1] else place
        return str(found.span.line)

    return re.sub(r"\0(\d*)\0", line, message)


def _look_up(
    document: Document | None, file: str | None, span: Span | None, route: Route, anchor: Anchor
) -> Place:
    if file is not None or span is not None or document is None:
        name = file or (document.name if document else "<spec>")
        return Place(name, span or _NOWHERE)
    return document.locate(route, anchor)

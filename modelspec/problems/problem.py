"""Diagnostics with their places looked up: what is shown to people and scripts."""

from dataclasses import dataclass, field

from modelspec.problems.diagnostic import Severity, Span


@dataclass(frozen=True, slots=True)
class Place:
    """A span of a named text: a file, standard input, or a ``--set`` option.

    ``text`` is that text as it was read, since a file may change and standard input is read once.
    It is empty where there are no lines to show, as in an npz file.
    """

    file: str
    span: Span
    text: str = field(default="", repr=False, compare=False)


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

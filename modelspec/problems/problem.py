"""Problems with their places, as they are shown to users and scripts."""

from dataclasses import dataclass, field

from modelspec.problems.diagnostic import Severity, Span


@dataclass(frozen=True, slots=True)
class Place:
    """A span of a named text: a file, standard input, or a ``--set`` option.

    ``text`` is a copy of the text as it was read, because a file can change and standard input is
    read only once. It is empty for a file without lines, such as an npz file.
    """

    file: str
    span: Span
    text: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RelatedPlace:
    """Another place that is relevant to a problem."""

    message: str
    place: Place


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem and its place.

    ``code`` has a page in ``modelspec explain``. ``severity`` is ``error`` or ``warning``. Lines
    and columns of the place start at 1. ``hint`` says what to do; it can be None. ``related`` are
    other places that explain the problem, such as the first of two equal names.
    """

    code: str
    severity: Severity
    message: str
    place: Place
    hint: str | None
    related: tuple[RelatedPlace, ...]

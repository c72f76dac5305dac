"""Problems → text for people, JSON for scripts, annotations for workflows."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from modelspec.language.yaml_errors import lines_of
from modelspec.problems.diagnostic import Span
from modelspec.problems.problem import Problem
from modelspec.report.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

_Line: TypeAlias = list[tuple[str, str]]
"""Parts of a line of text, each with a style of rich's."""

_SHOWN = 1_000
"""The problems shown as text; a terminal would take a minute for 10,000s of them."""

_COLOURS = {"error": "bold red", "warning": "bold yellow"}


def problems_json(problems: Iterable[Problem]) -> str:
    """Return the list of ``check --format json``."""
    return json.dumps([_as_json(problem) for problem in problems], indent=2)


def problems_github(problems: Iterable[Problem]) -> str:
    """Return one workflow command for each problem, as GitHub's runner reads them."""
    return "\n".join(_annotation(problem) for problem in problems)


def print_problems(console: "Console", problems: Sequence[Problem]) -> None:
    """Print each problem with its source line underlined."""
    from rich.text import Text

    from modelspec.report.prose import HANG, print_prose

    for line in _lines(problems):
        text = Text()
        for part, style in line:
            text.append(part, style=style)
        print_prose(console, text, hang=HANG)


def problems_text(problems: Sequence[Problem]) -> str:
    """Return the same lines for a pipe or a file, without rich, whose import is slow."""
    return "".join(visible("".join(part for part, _ in line)) + "\n" for line in _lines(problems))


def _lines(problems: Sequence[Problem]) -> Iterator[_Line]:
    sources = {text: lines_of(text) for text in {problem.place.text for problem in problems}}
    for problem in problems[:_SHOWN]:
        yield _headline(problem)
        yield from _excerpt(problem.place.span, sources[problem.place.text])
        for related in problem.related:
            span = related.place.span
            note = f"  {related.place.file}:{span.line}:{span.column}: {related.message}"
            yield [(note, "dim")]
        if problem.hint:
            yield [(f"  hint: {problem.hint}", "cyan")]
    if len(problems) > _SHOWN:
        note = f"{len(problems) - _SHOWN:,} more problems: --format json has them all"
        yield [(note, "bold")]


def _headline(problem: Problem) -> _Line:
    span = problem.place.span
    return [
        (f"{problem.place.file}:{span.line}:{span.column}: ", "bold"),
        (problem.severity, _COLOURS[problem.severity]),
        (f": {problem.message} ", ""),
        (f"[{problem.code}]", "dim"),
    ]


def _excerpt(span: Span, lines: Sequence[str]) -> list[_Line]:
    if span.line > len(lines) or lines == [""]:
        return []
    # A tab is one column, and invisible characters must not move a terminal's cursor.
    source = lines[span.line - 1].replace("\t", " ")
    line = "".join(char if char.isprintable() else "\ufffd" for char in source)
    last = span.end_column if span.end_line == span.line else len(line) + 1
    width = max(1, min(last, len(line) + 1) - span.column)
    number = f"{span.line:>5} | "
    mark = " " * (len(number) - 2) + "| " + " " * (span.column - 1) + "^" * width
    return [[(number + line, "")], [(mark, "red")]]


def _as_json(problem: Problem) -> dict[str, Any]:
    span = problem.place.span
    return {
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "file": problem.place.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
        "hint": problem.hint,
        "related": [
            {
                "message": related.message,
                "file": related.place.file,
                "line": related.place.span.line,
                "column": related.place.span.column,
            }
            for related in problem.related
        ],
    }


def _annotation(problem: Problem) -> str:
    span = problem.place.span
    message = problem.message + (f" ({problem.hint})" if problem.hint else "")
    properties = {
        "file": problem.place.file,
        "line": span.line,
        "endLine": span.end_line,
        "col": span.column,
        "endColumn": span.end_column,
        "title": problem.code,
    }
    written = ",".join(f"{name}={_escaped(str(value))}" for name, value in properties.items())
    return f"::{problem.severity} {written}::{_escaped_data(message)}"


def _escaped_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped(text: str) -> str:
    return _escaped_data(text).replace(":", "%3A").replace(",", "%2C")

"""Problems → text for people, JSON for scripts, annotations for workflows."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from modelspec.language.yaml_tree import lines_of
from modelspec.problems.diagnostic import Span
from modelspec.problems.problem import Problem

_SHOWN = 1_000
"""Problems shown as text: nobody reads more, and a terminal takes a minute for them."""

_COLOURS = {"error": "bold red", "warning": "bold yellow"}


def problems_json(problems: Iterable[Problem]) -> str:
    """The list that ``check --format json`` promises."""
    return json.dumps([_as_json(problem) for problem in problems], indent=2)


def problems_github(problems: Iterable[Problem]) -> str:
    """One workflow command a problem, as GitHub's runner reads them."""
    return "\n".join(_annotation(problem) for problem in problems)


def print_problems(console: Console, problems: Sequence[Problem]) -> None:
    """Each problem with its source line underlined."""
    lines = {text: lines_of(text) for text in {problem.place.text for problem in problems}}
    for problem in problems[:_SHOWN]:
        console.print(_headline(problem), soft_wrap=not console.is_terminal)
        for line in _excerpt(problem.place.span, lines[problem.place.text]):
            console.print(line, soft_wrap=not console.is_terminal)
        for related in problem.related:
            span = related.place.span
            note = f"  {related.place.file}:{span.line}:{span.column}: {related.message}"
            console.print(Text(note, style="dim"), soft_wrap=not console.is_terminal)
        if problem.hint:
            console.print(
                Text(f"  hint: {problem.hint}", style="cyan"), soft_wrap=not console.is_terminal
            )

    if len(problems) > _SHOWN:
        note = f"{len(problems) - _SHOWN:,} more problems: --format json has them all"
        console.print(Text(note, style="bold"), soft_wrap=not console.is_terminal)


def _headline(problem: Problem) -> Text:
    span = problem.place.span
    text = Text(f"{problem.place.file}:{span.line}:{span.column}: ", style="bold")
    text.append(problem.severity, style=_COLOURS[problem.severity])
    text.append(f": {problem.message} ", style="default")
    text.append(f"[{problem.code}]", style="dim")
    return text


def _excerpt(span: Span, lines: Sequence[str]) -> list[Text]:
    if span.line > len(lines) or lines == [""]:
        return []
    # A tab is one column, and what cannot be seen must not move a terminal's cursor.
    source = lines[span.line - 1].replace("\t", " ")
    line = "".join(char if char.isprintable() else "\ufffd" for char in source)
    last = span.end_column if span.end_line == span.line else len(line) + 1
    width = max(1, min(last, len(line) + 1) - span.column)
    number = f"{span.line:>5} | "
    mark = " " * (len(number) - 2) + "| " + " " * (span.column - 1) + "^" * width
    return [Text(number + line), Text(mark, style="red")]


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

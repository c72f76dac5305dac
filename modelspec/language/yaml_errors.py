"""Problems of a text that is not YAML, each with its place and a hint."""

import re

import yaml

from modelspec.problems.diagnostic import Diagnostic, Span

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_HINTS = {
    "mapping values are not allowed": "check the indentation, or put a string with ': ' in quotes",
    "an alias": "put a string that starts with * in quotes",
    "an anchor": "put a string that starts with & in quotes",
    "cannot start any token": "put a string that starts with {} in quotes",
    "simple key": "a key is followed by a colon and a space",
    "expected": "check the indentation and the quotes of this line and those above",
}
"""Hints by the parser's message; the first that matches is used."""


def end_of(text: str) -> Span:
    """Return the position after the end of a text."""
    lines = lines_of(text)
    line, column = len(lines), len(lines[-1]) + 1
    return Span(line, column, line, column + 1)


def lines_of(text: str) -> list[str]:
    """Return the lines as YAML counts them, not as Python does, without their line breaks."""
    return _BREAK.split(text)


def control_problem(character: str, span: Span) -> Diagnostic:
    message = f"control character U+{ord(character):04X} is not allowed in a spec"
    return Diagnostic("not-text", message, span=span)


def syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Diagnostic:
    """Describe an error of the parser, at the start of an unclosed quote or of a bad key."""
    context, problem = error.context or "", error.problem or ""
    never_closed = "quoted" in context and "end of stream" in problem
    late = error.context_mark if never_closed or "simple key" in context else None
    mark = late or error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = lines_of(text)
    source = lines[line - 1] if line <= len(lines) else ""
    message = ", ".join(part for part in (context, problem) if part)
    above = lines[line - 2] if 1 < line <= len(lines) else ""
    hint = _bare_name_hint(above, problem) or _syntax_hint(source, column, error)
    if never_closed:
        hint = "this quote is never closed"
    span = Span(line, column, line, column + 1)
    if line > 1 and not "".join(lines[line - 1 :]).strip():
        span = end_of(text.rstrip())  # the last line that has text, not the empty one after it
    return Diagnostic("yaml-syntax", f"not YAML: {message}", hint=hint, span=span)


def _bare_name_hint(above: str, problem: str) -> str | None:
    """Return a hint for ``- Flatten`` with keys below it: a bare name takes no keys."""
    bare = re.fullmatch(r"\s*-\s+(\w+)\s*(?:#.*)?", above)
    if bare is None or "mapping values are not allowed" not in problem:
        return None
    return f"a name with keys below it needs a colon: {bare[1]}:"


def _syntax_hint(source: str, column: int, error: yaml.MarkedYAMLError) -> str | None:
    if source[:column].strip(" -") == "\t":
        return "indent with spaces, not tabs"
    if re.search(r"""[^"'\w]\$\{""", source):
        return 'put the expression in quotes: "${…}"'
    context = error.context or ""
    if "flow node" in context:
        return "a value is missing here, or a bracket above is not closed"
    if "flow" in context and error.context_mark:
        bracket = "{" if "mapping" in context else "["
        line = error.context_mark.line + 1
        return f"a comma is missing, or the {bracket} of line {line} is not closed"
    first = source[column - 1 : column]
    said = f"{context} {error.problem}"
    return next((hint.format(first) for part, hint in _HINTS.items() if part in said), None)

"""Checks of plain values of arguments: types, choices, numbers in lists, and paths."""

import re
from collections.abc import Iterator
from typing import Any

from modelspec.catalog import Argument, Entry
from modelspec.checks import paths
from modelspec.problems.diagnostic import Diagnostic, Route, did_you_mean

FROM_ARRAY = (
    "weights: {layers: {LAYER.WEIGHT: {array: NAME}}}, a key of the spec, takes an array of the "
    "data or of a file"
)
_ARITHMETIC = re.compile(r"[\d.]+(?:\s*(?:\*\*|//|[-+*/%])\s*[\d.]+)+")
_NOUNS = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "str": "a string",
    "list": "a list",
}


def is_number_text(value: Any) -> bool:
    """Return True for a string that Python reads as a number."""
    try:
        return isinstance(value, str) and float(value) is not None
    except ValueError:
        return False


def numbers_in(value: Any) -> Iterator[float]:
    """Yield the numbers of a plain value, also those inside of lists."""
    if isinstance(value, list):
        for item in value:
            yield from numbers_in(item)
    elif isinstance(value, int | float):
        yield value


def check_plain(entry: Entry, argument: Argument, value: Any, route: Route) -> Iterator[Diagnostic]:
    mappings = list(_mappings(value, route))
    for place in mappings:
        message = f"{argument.name} of {entry.name} takes plain values, not a mapping"
        yield Diagnostic("wrong-type", message, place)
    refused = list(_paths(entry, argument, value, route))
    yield from refused
    if mappings or refused:
        return
    if not fits(argument.kinds, kind_of(value)):
        yield wrong_type(entry, argument, shown(value), route)
    elif isinstance(value, str) and argument.choices and value.lower() not in argument.choices:
        message = f"{argument.name} of {entry.name} is one of {', '.join(argument.choices)}"
        hint = did_you_mean(value, argument.choices)
        yield Diagnostic("wrong-value", f"{message}, not {value}", route, hint=hint)
    elif isinstance(value, list):
        yield from _members(entry, argument, value, route)


def _paths(entry: Entry, argument: Argument, value: Any, route: Route) -> Iterator[Diagnostic]:
    if isinstance(value, list | tuple) and paths.writes_file(entry, argument):
        for index, path in enumerate(value):
            yield from _paths(entry, argument, path, (*route, index))
    elif not isinstance(value, str):
        return
    elif paths.reads_file(entry, argument):
        message = f"{argument.name} of {entry.name} cannot come from a file"
        hint = f"write the values here, as a list: {argument.name}: [...]"
        yield Diagnostic("refused-path", message, route, hint=hint)
    elif paths.writes_file(entry, argument) and (field := paths.unknown_field(value)):
        message = f"{field} in {argument.name} of {entry.name} is not the name of a value"
        hint = "write {epoch:02d} or {val_loss:.3f}: a name, and a format after a colon"
        yield Diagnostic("refused-path", message, route, hint=hint)
    elif paths.writes_file(entry, argument) and paths.escapes(value):
        message = f"{argument.name} of {entry.name} leads outside the run's folder: {value}"
        hint = "write a relative path without .., ~ or a URL scheme"
        yield Diagnostic("refused-path", message, route, hint=hint)
    elif paths.writes_file(entry, argument) and paths.is_taken(value):
        message = f"{argument.name} of {entry.name} is a file of the run itself: {value}"
        yield Diagnostic("refused-path", message, route, hint="use another name")


def _mappings(value: Any, route: Route) -> Iterator[Route]:
    if isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _mappings(member, (*route, index))
    elif value is not None and not isinstance(value, bool | int | float | str):
        yield route


def _members(
    entry: Entry, argument: Argument, values: list[Any], route: Route
) -> Iterator[Diagnostic]:
    """Report a string in a list of numbers; Keras says too little about lists to check more."""
    if "str" in argument.kinds or not argument.kinds & {"int", "float"}:
        return
    for index, member in enumerate(values):
        if isinstance(member, str):
            message = f"{argument.name} of {entry.name} takes numbers, not {shown(member)}"
            yield Diagnostic("wrong-type", message, (*route, index))


def fits(kinds: frozenset[str], kind: str) -> bool:
    return not kinds or kind in kinds or (kind == "int" and "float" in kinds)


def kind_of(value: Any) -> str:
    return {bool: "bool", int: "int", float: "float", str: "str"}.get(type(value), "list")


def wrong_type(entry: Entry, argument: Argument, shown: str, route: Route) -> Diagnostic:
    nouns = [noun for kind, noun in _NOUNS.items() if kind in argument.kinds]
    wanted = " or ".join(nouns) if nouns else "a value of another type"
    if entry.family == "operation" and argument.name in entry.call_arguments:
        message = f"{argument.name} of {entry.name} is a number or a list of numbers, not {shown}"
        return Diagnostic("wrong-type", message, route, hint="name a tensor under from")
    message = f"{argument.name} of {entry.name} takes {wanted}, not {shown}"
    return Diagnostic("wrong-type", message, route, hint=_as_written(argument, shown))


def _as_written(argument: Argument, shown: str) -> str | None:
    """Return a hint how to write a text that means a number or an array."""
    hint = _as_number(argument, shown)
    arrays = argument.name in {"weights", "value"} and "list" in argument.kinds
    return FROM_ARRAY if hint is None and arrays and shown.startswith("'") else hint


def _as_number(argument: Argument, shown: str) -> str | None:
    """Return a hint how to write a number that was written as text: ``1/255``, ``"64"``."""
    text = shown.removeprefix("the string ").strip("'")
    if not argument.kinds & {"int", "float"} or text == shown:
        return None
    if is_number_text(text):
        return f"write {text}, without quotes"
    return f"write ${{{text}}}, which is computed" if _ARITHMETIC.fullmatch(text) else None


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "a list" if kind_of(value) == "list" else repr(value)

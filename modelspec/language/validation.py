"""Errors of pydantic → problems at their routes, in the words of the language."""

from collections.abc import Callable, Mapping
from reprlib import repr as short
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from modelspec.language.forms import FORM
from modelspec.language.key_hints import key_hint
from modelspec.problems.diagnostic import Anchor, Diagnostic, Route, did_you_mean, is_echo

_TYPES = {
    "int_type": "an integer",
    "float_type": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_QUOTES = "'"

_HINTED = 200
"""The number of errors that get a hint; the nearest of 10,000s of names takes seconds to find."""

_TOP_LEVEL = {
    "modelspec": "modelspec: 1",
    "inputs": "inputs: {image: {shape: [28, 28]}}",
    "layers": "layers: a list, as in [Flatten, Dense: {units: 10}]",
    "outputs": "outputs: the name of a layer",
}
"""Hints for missing required keys."""

_ITEM_HINTS = {
    "not_a_layer": "write its name, or its name and arguments: Dense: {units: 32}",
    "no_layer": "an item needs one Keras layer, one block, or share",
    "share_and_layer": "write one of them",
}


def problems_of(
    error: ValidationError, data: Mapping[str | int, Any], model: type[BaseModel]
) -> list[Diagnostic]:
    """Return every error of a validation, at its route in ``data``."""
    details = error.errors(include_url=False)
    problems = [
        _problem(detail, data, model, hinted=index < _HINTED)
        for index, detail in enumerate(details)
        if not _is_refusal(detail)
    ]
    return [problem for problem in problems if not is_echo(problem, data)]


def _is_refusal(detail: ErrorDetails) -> bool:
    """Return True for a too short list whose items were all refused, which are reported anyway."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _problem(
    detail: ErrorDetails,
    data: Mapping[str | int, Any],
    model: type[BaseModel],
    *,
    hinted: bool,
) -> Diagnostic:
    route = tuple(
        step for step in detail["loc"] if not (isinstance(step, str) and step.startswith(FORM))
    )
    anchor: Anchor = "value"
    if route[-1:] == ("[key]",):
        route, anchor = route[:-1], "key"
    describe = _DESCRIPTIONS.get(detail["type"], _other)
    if anchor == "key" and describe is _type:
        describe = _key_type
    code, message, hint = describe(detail, route)
    if code == "unknown-key":
        anchor, hint = "key", hint or (key_hint(route, data, model) if hinted else None)
    return Diagnostic(code, message, route, anchor, hint=hint)


_SPLIT = ("training", "validation_split")

_Description = tuple[str, str, str | None]


def _missing(detail: ErrorDetails, route: Route) -> _Description:
    owner = ".".join(map(str, route[:-1])) or "the spec"
    key = detail["loc"][-1]
    hint = _TOP_LEVEL.get(str(key)) if len(route) == 1 else None
    if route[:-1] == _SPLIT:
        hint = "write {last: 0.2} for the last rows, or {fraction: 0.2, groups: ARRAY}"
    return "missing-key", f"{owner} needs {key}", hint


def _unknown(_detail: ErrorDetails, route: Route) -> _Description:
    return "unknown-key", f"there is no key {route[-1]} here", None


def _key_type(detail: ErrorDetails, route: Route) -> _Description:
    message = f"a key of {_subject(route[:-1])} is {_TYPES[detail['type']]}, not "
    hint = None
    if route[:2] == ("training", "class_weights"):
        hint = "write the number of the class; names under data.OUTPUT.classes count from 0"
    return "wrong-type", message + _shown(detail["input"]), hint


def _number_key(_detail: ErrorDetails, route: Route) -> _Description:
    return "unknown-key", f"there is no key {route[-1]} here", "keys here are strings"


def _pattern(detail: ErrorDetails, _route: Route) -> _Description:
    dashes = detail.get("ctx", {}).get("pattern", "").endswith("-]*$")
    hint = f"a letter, then letters, digits{', _ and -' if dashes else ' and _'}"
    return "bad-name", f"{detail['input']!r} cannot be a name", hint


def _literal(detail: ErrorDetails, route: Route) -> _Description:
    expected = _as_yaml(detail.get("ctx", {}).get("expected", ""))
    value = detail["input"]
    if route == ("modelspec",):
        return (
            "wrong-version",
            f"this modelspec reads version {expected}, not {_shown(value)}",
            None,
        )
    choices = expected.replace(" or ", ", ").split(", ")
    hint = did_you_mean(value, choices) if isinstance(value, str) else None
    if value == "float16" and "mixed_float16" in choices:
        hint = "mixed_float16 computes in float16, and keeps the weights in float32"
    return "wrong-value", f"{_subject(route)} is one of {expected}, not {_shown(value)}", hint


def _as_yaml(expected: str) -> str:
    return expected.replace("'", "").replace("True", "true").replace("False", "false")


def _finite(detail: ErrorDetails, route: Route) -> _Description:
    return "wrong-value", f"{_subject(route)} is finite, not {_shown(detail['input'])}", None


def _bound(detail: ErrorDetails, route: Route) -> _Description:
    key, words = _BOUNDS[detail["type"]]
    limit = f"{detail.get('ctx', {}).get(key):,}".removesuffix(".0")
    value = _shown(detail["input"])
    share = route[:2] == _SPLIT and limit == "1"
    hint = "it is a share of the rows: 0.2 is a fifth of them" if share else None
    return "wrong-value", f"{_subject(route)} is {words} {limit}, not {value}", hint


def _type(detail: ErrorDetails, route: Route) -> _Description:
    expected = _TYPES[detail["type"]]
    hint = None
    if _is_one_of_a_list(detail, expected):
        hint = f"write [{_shown(detail['input']).strip(_QUOTES)}]"
    elif route == ("inputs",) and isinstance(detail["input"], str | list):
        hint = "write each name with its shape: inputs: {x: {shape: [8]}}"
    elif isinstance(detail["input"], str):
        hint = _path_hint(route, detail["input"])
    return "wrong-type", f"{_subject(route)} is {expected}, not {_shown(detail['input'])}", hint


def _path_hint(route: Route, path: str) -> str | None:
    """Return a hint with the key for a path that is written where a mapping is required."""
    match route:
        case ("weights",):
            return f"weights: {{from: {path}}}"
        case ("models", name):
            return f"{name}: {{path: {path}}}"
    return None


def _is_one_of_a_list(detail: ErrorDetails, expected: str) -> bool:
    value = detail["input"]
    return expected == "a list" and value is not None and not isinstance(value, dict)


def _wrong_form(detail: ErrorDetails, route: Route) -> _Description:
    return (
        "wrong-type",
        f"{_subject(route)} is {detail['msg']}, not {_shown(detail['input'])}",
        None,
    )


def _empty(_detail: ErrorDetails, route: Route) -> _Description:
    return "wrong-value", f"{_subject(route)} is empty", None


def _item(detail: ErrorDetails, _route: Route) -> _Description:
    return "not-a-layer", detail["msg"], _ITEM_HINTS[detail["type"]]


def _by_output(_detail: ErrorDetails, route: Route) -> _Description:
    hint = "class_weights: {OUTPUT: {0: 1.0, 1: 3.0}}"
    return "wrong-type", f"{_subject(route)} belong under the name of their output", hint


def _other(detail: ErrorDetails, route: Route) -> _Description:
    return "wrong-value", f"{_subject(route)}: {detail['msg']}", None


_DESCRIPTIONS: dict[str, Callable[[ErrorDetails, Route], _Description]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "string_pattern_mismatch": _pattern,
    "literal_error": _literal,
    "too_short": _empty,
    "invalid_key": _number_key,
    "form": _wrong_form,
    "finite_number": _finite,
    "weights_by_output": _by_output,
    **dict.fromkeys(_TYPES, _type),
    **dict.fromkeys(_BOUNDS, _bound),
    **dict.fromkeys(_ITEM_HINTS, _item),
}


def _subject(route: Route) -> str:
    """Name the value in a message: its key, or the number of the item and its list."""
    if route[:2] == ("training", "class_weights") and len(route) == len(("", "", "output", 0)):
        return f"the weight of class {route[-1]}"
    if route and isinstance(route[-1], int):
        owner = next((step for step in reversed(route) if isinstance(step, str)), "the list")
        return f"item {route[-1] + 1} of {owner}"
    return str(route[-1]) if route else "the spec"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    return str(value).lower() if isinstance(value, bool) else short(value)

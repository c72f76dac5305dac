"""pydantic's errors → problems at their routes, in the language's own words."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from modelspec.diagnostics import Anchor, Diagnostic, Route, did_you_mean

FORM = "\0"
"""Marks the tags by which unions tell their forms apart; it cannot occur in YAML text."""

_TYPES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
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
_ITEM_HINTS = {
    "not_a_layer": "write its name, or its name and arguments: Dense: {units: 32}",
    "no_layer": "an item needs one Keras layer, one block, or share",
    "share_and_layer": "give one of them",
}


def problems_of(
    error: ValidationError, data: Mapping[str | int, Any], model: type[BaseModel]
) -> list[Diagnostic]:
    """Every error of a validation, at its route in ``data``."""
    details = error.errors(include_url=False)
    return [_problem(detail, data, model) for detail in details if not _is_echo(detail)]


def _is_echo(detail: ErrorDetails) -> bool:
    """A list whose items were all refused is reported as too short as well."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _problem(
    detail: ErrorDetails, data: Mapping[str | int, Any], model: type[BaseModel]
) -> Diagnostic:
    route = tuple(
        step for step in detail["loc"] if not (isinstance(step, str) and step.startswith(FORM))
    )
    anchor: Anchor = "value"
    if route[-1:] == ("[key]",):
        route, anchor = route[:-1], "key"
    describe = _DESCRIPTIONS.get(detail["type"], _other)
    code, message, hint = describe(detail, route)
    if code == "unknown-key":
        anchor, hint = "key", _key_hint(route, data, model)
    return Diagnostic(code, message, route, anchor, hint=hint)


_Description = tuple[str, str, str | None]


def _missing(detail: ErrorDetails, route: Route) -> _Description:
    owner = ".".join(map(str, route[:-1])) or "the spec"
    return "missing-key", f"{owner} needs {detail['loc'][-1]}", None


def _unknown(_detail: ErrorDetails, route: Route) -> _Description:
    return "unknown-key", f"there is no key {route[-1]} here", None


def _pattern(detail: ErrorDetails, _route: Route) -> _Description:
    hint = "a letter, then letters, digits, _ and -"
    return "bad-name", f"{detail['input']!r} cannot be a name", hint


def _literal(detail: ErrorDetails, route: Route) -> _Description:
    expected = detail.get("ctx", {}).get("expected", "")
    value = detail["input"]
    if route == ("modelspec",):
        return (
            "wrong-version",
            f"this modelspec reads version {expected}, not {_shown(value)}",
            None,
        )
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    hint = did_you_mean(value, choices) if isinstance(value, str) else None
    return "wrong-value", f"{_subject(route)} is one of {expected}, not {_shown(value)}", hint


def _bound(detail: ErrorDetails, route: Route) -> _Description:
    key, words = _BOUNDS[detail["type"]]
    limit = detail.get("ctx", {}).get(key)
    value = _shown(detail["input"])
    return "wrong-value", f"{_subject(route)} is {words} {limit:g}, not {value}", None


def _type(detail: ErrorDetails, route: Route) -> _Description:
    expected = _TYPES[detail["type"]]
    hint = "put '- ' before each item" if expected == "a list" else None
    return "wrong-type", f"{_subject(route)} is {expected}, not {_shown(detail['input'])}", hint


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


def _other(detail: ErrorDetails, route: Route) -> _Description:
    return "wrong-value", f"{_subject(route)}: {detail['msg']}", None


_DESCRIPTIONS: dict[str, Callable[[ErrorDetails, Route], _Description]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "string_pattern_mismatch": _pattern,
    "literal_error": _literal,
    "too_short": _empty,
    "form": _wrong_form,
    **dict.fromkeys(_TYPES, _type),
    **dict.fromkeys(_BOUNDS, _bound),
    **dict.fromkeys(_ITEM_HINTS, _item),
}


def _subject(route: Route) -> str:
    """What a reader calls the value: its key, and the list or mapping that an item is of."""
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
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _key_hint(route: Route, data: Mapping[str | int, Any], model: type[BaseModel]) -> str | None:
    """The nearest key that may stand here; or, in a layer item, where arguments belong."""
    name = str(route[-1])
    near = did_you_mean(name, _keys_at(route[:-1], model))
    if near or len(route) < 3 or route[-3] != "layers":  # noqa: PLR2004 - layers, index, key
        return near
    owner = _value_at(data, route[:-1])
    layer = next((key for key in owner if str(key)[:1].isupper() and key != name), None)
    if layer is None:
        return None
    if name[:1].isupper():
        return f"an item is one layer: give {name} a '- ' of its own"
    return f"arguments stand inside the layer: {layer}: {{{name}: …}}"


def _value_at(data: Any, route: Route) -> Any:
    for step in route:
        data = data[step]
    return data


def _keys_at(route: Route, model: type[BaseModel]) -> list[str]:
    """The keys of the pydantic model that stands at a route."""
    schema = model.model_json_schema(by_alias=True)
    here: dict[str, Any] = schema
    for step in route:
        here = _resolved(here, schema)
        below = here.get("properties", {}).get(step) if isinstance(step, str) else None
        here = below or here.get("additionalProperties") or here.get("items") or {}
        if not isinstance(here, dict):
            return []
    keys = _resolved(here, schema).get("properties", {})
    return [key for key in keys if key not in {"type", "arguments"}]


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref", "")
    target = schema["$defs"][reference.rsplit("/", 1)[-1]] if reference else part
    return target if isinstance(target, dict) else {}

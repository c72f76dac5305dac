"""Hints for unknown keys: the nearest key, or the place where a key belongs."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from modelspec.language.forms import FORM
from modelspec.problems.diagnostic import Route, did_you_mean


def key_hint(route: Route, data: Mapping[str | int, Any], model: type[BaseModel]) -> str | None:
    """Return a hint with the nearest key; in a layer item, with the place of arguments."""
    name = str(route[-1])
    if moved := _elsewhere(route, name, data, model):
        return moved
    near = did_you_mean(name, _keys_at(route[:-1], model))
    if near or len(route) < 3 or route[-3] != "layers":  # noqa: PLR2004 - layers, index, key
        return near
    owner = _value_at(data, route[:-1])
    layer = next((key for key in owner if str(key)[:1].isupper() and key != name), None)
    if layer is None:
        return None
    if name[:1].isupper():
        return f"an item is one layer: start a new item with '- ' for {name}"
    return f"write arguments inside the layer: {layer}: {{{name}: …}}"


def _elsewhere(
    route: Route, name: str, data: Mapping[str | int, Any], model: type[BaseModel]
) -> str | None:
    """Return a hint for a key that belongs to another place; None for other keys."""
    if len(route) == 1 and name in _keys_at(("training",), model):
        return f"it belongs under training: training: {{{name}: …}}"
    if route[:-1] == ("training",) and name in _keys_at((), model):
        return f"{name} belongs at the top level"
    if route[:2] == ("weights", "layers") and len(route) == 4:  # noqa: PLR2004 - layer and weight
        return _weight_of_layer(str(route[2]), name, _value_at(data, route))
    return None


def _weight_of_layer(layer: str, weight: str, value: Any) -> str:
    """Write the weight of a layer as one key, and an array's name as its source."""
    source = f"{{array: {value}}}" if isinstance(value, str) else "{array: NAME}"
    return f"a layer and its weight are one key: {layer}.{weight}: {source}"


def _value_at(data: Any, route: Route) -> Any:
    for step in route:
        data = data[step]
    return data


def _keys_at(route: Route, model: type[BaseModel]) -> list[str]:
    """Return the keys of the pydantic model at a route."""
    schema = _schema(model)
    here: dict[str, Any] = schema
    for step in route:
        here = _resolved(here, schema)
        below = here.get("properties", {}).get(step) if isinstance(step, str) else None
        named = next(iter(here.get("patternProperties", {}).values()), None)
        here = below or named or here.get("additionalProperties") or here.get("items") or {}
        if not isinstance(here, dict):
            return []
    keys = _resolved(here, schema).get("properties", {})
    return [key for key in keys if not key.startswith(FORM)]


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref", "")
    target = schema["$defs"][reference.rsplit("/", 1)[-1]] if reference else part
    return target if isinstance(target, dict) else {}

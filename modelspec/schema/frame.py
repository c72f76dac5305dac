"""The JSON Schema of the keys, from pydantic, adapted to texts in an editor."""

from typing import Any

from modelspec.language.forms import FORM
from modelspec.language.spec import Spec
from modelspec.schema.expressions import Schema, expression, opened, types
from modelspec.schema.help import HELP

_BEFORE_EXPRESSIONS = {"layers", "blocks"}
"""Sections whose own keys are validated as they are written."""


def frame() -> tuple[Schema, dict[str, Schema]]:
    """Return the top level, and the sections that it refers to by name."""
    raw = Spec.model_json_schema(by_alias=True)
    sections = {name: _section(name, _tidy(part)) for name, part in raw.pop("$defs").items()}
    top = _section("Spec", _tidy(raw))
    top["properties"] = {
        key: value if key in _BEFORE_EXPRESSIONS else _opened_throughout(value)
        for key, value in top["properties"].items()
    }
    for name in (
        *("InputSpec", "ColumnSource", "Training", "LastRows", "GroupedRows"),
        *("StartingWeights", "ArraySource", "ModelSource"),
    ):
        parts = sections[name]["properties"]
        opened_parts = {key: _opened_throughout(value) for key, value in parts.items()}
        sections[name] = opened(sections[name] | {"properties": opened_parts})
    return top, sections


def _section(name: str, schema: Schema) -> Schema:
    """Return a pydantic model's schema, with the help of its keys instead of its docstring."""
    help_texts = HELP[name]
    properties = {
        key: value | {"description": help_texts[key]}
        for key, value in schema["properties"].items()
        if not key.startswith(FORM)
    }
    kept = {key: value for key, value in schema.items() if key != "description"}
    return kept | {"properties": properties}


def _tidy(schema: Any) -> Any:
    """Remove titles that repeat the key, and allow only the keys that a pattern describes."""
    if isinstance(schema, list):
        return [_tidy(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {"anyOf" if key == "oneOf" else key: _tidy(part) for key, part in schema.items()}
    if isinstance(tidy.get("title"), str):
        del tidy["title"]
    if isinstance(tidy.get("$ref"), str):
        tidy["$ref"] = tidy["$ref"].replace("$defs", "definitions")
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    if tidy.get("default", 0) is None:
        del tidy["default"]
    sections = any("$ref" in form for form in tidy.get("anyOf", ()))
    return _joined(tidy) if "anyOf" in tidy and not sections else tidy


def _joined(schema: Schema) -> Schema:
    """Join forms of different types into one: no keyword applies to more than one type.

    Without a choice, messages and hover texts are about the form that the user wrote.
    """
    joined = {key: value for key, value in schema.items() if key != "anyOf"}
    names = [name for form in schema["anyOf"] for name in types(form)]
    for form in schema["anyOf"]:
        joined |= form
    return joined | {"type": names}


def _opened_throughout(schema: Schema) -> Schema:
    changed = dict(schema)
    if any("$ref" in form for form in schema.get("anyOf", ())):
        return changed | {"anyOf": [*schema["anyOf"], expression()]}
    for key in ("items", "additionalProperties"):
        if isinstance(changed.get(key), dict):
            changed[key] = _opened_throughout(changed[key])
    if "patternProperties" in changed:
        parts = changed["patternProperties"].items()
        changed["patternProperties"] = {name: _opened_throughout(part) for name, part in parts}
    free = "type" not in changed and not {"enum", "const"} & changed.keys()
    return changed if free else opened(changed)

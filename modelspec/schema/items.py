"""A layer item: one Keras layer, one block, or ``share``, and the keys beside it."""

import re
from collections.abc import Mapping
from typing import get_args

from modelspec.catalog import Catalog
from modelspec.catalog.entries import item_family
from modelspec.language.forms import Dtype, Precision
from modelspec.language.spec import LAYER_KEYS
from modelspec.schema.docs import markdown
from modelspec.schema.expressions import EXPRESSION, MESSAGE, Schema
from modelspec.schema.objects import MAPPING, alone_in, properties

_BESIDE = "|".join(sorted(LAYER_KEYS))
_NOT_BESIDE = {
    "layer": frozenset({"share"}),
    "operation": frozenset({"share", "call", "trainable", "dtype", "adapt", "preprocess"}),
}
_BLOCK = "[a-z][A-Za-z0-9_-]*"
"""The names that a block may have here: a schema cannot know the blocks of a spec, and a name that
starts with a capital is more often a mistyped layer.
"""


def item(catalog: Catalog, keys: Mapping[str, Schema]) -> Schema:
    """Return the schema of one item of ``layers``; ``keys`` are those beside the layer."""
    known = properties(catalog, "layer", "item")
    operations = properties(catalog, "operation", "operation")
    named = known["properties"] | operations["properties"]
    aliases = known["patternProperties"] | operations["patternProperties"]
    message = "the parameters of a block are a mapping, parameter: value"
    use = {"type": ["object", "null", "string"]} | _pattern(EXPRESSION, message)
    mapping = MAPPING | {
        "properties": {**named, **_beside(keys)},
        "patternProperties": {**aliases, f"^(?!(?:{_BESIDE})$){_BLOCK}$": use},
        "additionalProperties": False,
        "dependencies": {name: _alone(name) for name in named},
        "if": {"propertyNames": {"enum": sorted(LAYER_KEYS - {"share"})}},
        "then": {"required": ["share"], "errorMessage": "this item has no layer"},
    }
    return {"anyOf": [_name(catalog), mapping]}


def _name(catalog: Catalog) -> Schema:
    """Accept a layer or a block without arguments; the last of ``anyOf`` tests the pattern."""
    alone = alone_in(catalog, "layer") | alone_in(catalog, "operation")
    texts = {
        name: entry.help if entry.family == "operation" else markdown(entry.doc) or name
        for name, entry in alone.items()
    }
    names = [{"const": name, "markdownDescription": text} for name, text in texts.items()]
    message = "Keras has no layer of this name without required arguments"
    pattern = f"^(?:{'|'.join(map(re.escape, alone))}|{_BLOCK})$"
    return {"type": "string", **_pattern(pattern, message), "anyOf": [*names, {}]}


def _alone(name: str) -> Schema:
    """Accept one layer only: all other keys of an item are those beside the layer."""
    message = f"this is neither a key beside {name} nor a layer of the same item"
    left_out = _NOT_BESIDE[item_family(name)]
    beside = "|".join(sorted(LAYER_KEYS - left_out))
    return {"propertyNames": _pattern(f"^(?:{re.escape(name)}|{beside})$", message)}


def _beside(keys: Mapping[str, Schema]) -> dict[str, Schema]:
    changed = {key: _tightened(key, schema) for key, schema in keys.items()}
    return {key: changed[key] | {"description": keys[key]["description"]} for key in keys}


def _tightened(key: str, schema: Schema) -> Schema:
    """Narrow a key: its pydantic model accepts any text in the place of an expression."""
    if key == "dtype":
        names = dict.fromkeys([*get_args(Dtype), *get_args(Precision)])
        quantized = {"type": ["string", "null"], "pattern": f"_from_|{EXPRESSION}"}
        return {"anyOf": [{"type": "string", "enum": list(names)}, quantized]}
    if key in {"repeat", "trainable", "adapt", "preprocess"}:
        return schema | _pattern(EXPRESSION, MESSAGE)
    return schema


def _pattern(pattern: str, message: str) -> Schema:
    return {"pattern": pattern, "patternErrorMessage": message}

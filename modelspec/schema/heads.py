"""Optimizer, losses, loss weights and metrics: one value, a list, or a value by output."""

from collections.abc import Mapping

from modelspec.catalog import Catalog, Family
from modelspec.language.loss_weights import STRATEGIES, Strategy
from modelspec.schema.expressions import Schema, expression, opened
from modelspec.schema.objects import MAPPING, bare, properties


def heads(catalog: Catalog, keys: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the schemas of these keys; ``keys`` has their descriptions."""
    loss = {"$ref": "#/definitions/loss"}
    metric = {"$ref": "#/definitions/metric"}
    metrics = {"anyOf": [metric, {"type": ["array", "null"], "items": metric}]}
    parts = {
        "optimizer": {"$ref": "#/definitions/optimizer"},
        "losses": _by_output(catalog, "loss", {"anyOf": [loss, {"type": "null"}]}),
        "metrics": _by_output(catalog, "metric", metrics),
        "weighted_metrics": _by_output(catalog, "metric", metrics),
        "loss_weights": _loss_weights(),
    }
    said = {key: {"description": keys[key]["description"]} for key in parts}
    return {key: schema | said[key] for key, schema in parts.items()}


def _by_output(catalog: Catalog, family: Family, value: Schema) -> Schema:
    """Accept one object, or a mapping from the outputs, whose names are free, to objects."""
    if not catalog.names(family):
        return {}
    known = properties(catalog, family, family)
    # An output can have the name of a function, but hardly that of a class.
    patterns = {
        name: {"anyOf": [schema, value]} for name, schema in known["patternProperties"].items()
    }
    mapping = MAPPING | known | {"patternProperties": patterns, "additionalProperties": value}
    several = {"type": ["array", "null"], "items": value}
    return {"anyOf": [*bare(catalog, family), mapping, several, expression()]}


def _loss_weights() -> Schema:
    """Accept a strategy, by name or with arguments, or numbers; outputs can have the same names."""
    weight = expression() | {"type": ["number", "null", "string"]}
    helped = {name: kind.__doc__ for name, kind in STRATEGIES.items()}
    bare_names: Schema = {
        "type": "string",
        "enum": list(helped),
        "markdownEnumDescriptions": list(helped.values()),
        "errorMessage": "there is no strategy with this name",
    }
    objects = {
        name: {"anyOf": [_arguments(kind), weight], "description": kind.__doc__}
        for name, kind in STRATEGIES.items()
    }
    mapping = MAPPING | {"properties": objects, "additionalProperties": weight}
    numbers: Schema = {"type": ["number", "array", "null"], "items": weight}
    return {"anyOf": [bare_names, mapping, numbers, expression()]}


def _arguments(kind: type[Strategy]) -> Schema:
    known = kind.model_json_schema()["properties"]
    properties = {
        name: opened({key: value for key, value in part.items() if key != "title"})
        for name, part in known.items()
    }
    return {
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": False,
    }

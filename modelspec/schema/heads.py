"""Optimizer, losses, loss weights and metrics: one value, a list, or a value by output."""

from collections.abc import Mapping

from modelspec.catalog import Catalog, Family
from modelspec.schema.expressions import Schema, expression
from modelspec.schema.objects import MAPPING, bare, properties


def heads(catalog: Catalog, keys: Mapping[str, Schema]) -> dict[str, Schema]:
    """The schemas of these keys; what is said about them stands in ``keys``."""
    loss = {"$ref": "#/definitions/loss"}
    metric = {"$ref": "#/definitions/metric"}
    metrics = {"anyOf": [metric, {"type": ["array", "null"], "items": metric}]}
    weight = expression() | {"type": ["number", "null", "string"]}
    table = {"type": ["number", "array", "object", "null", "string"]}
    parts = {
        "optimizer": {"$ref": "#/definitions/optimizer"},
        "losses": _by_output(catalog, "loss", {"anyOf": [loss, {"type": "null"}]}),
        "metrics": _by_output(catalog, "metric", metrics),
        "loss_weights": expression() | table | {"items": weight, "additionalProperties": weight},
    }
    said = {key: {"description": keys[key]["description"]} for key in parts}
    return {key: schema | said[key] for key, schema in parts.items()}


def _by_output(catalog: Catalog, family: Family, each: Schema) -> Schema:
    """One object, or a mapping from outputs, which are named as one likes, to what they get."""
    if not catalog.names(family):
        return {}
    known = properties(catalog, family, family)
    # An output may well be called like a function, but hardly like a class.
    patterns = {
        name: {"anyOf": [schema, each]} for name, schema in known["patternProperties"].items()
    }
    mapping = MAPPING | known | {"patternProperties": patterns, "additionalProperties": each}
    several = {"type": ["array", "null"], "items": each}
    return {"anyOf": [*bare(catalog, family), mapping, several, expression()]}

"""``${…}`` in the schema: a text with an expression is accepted in the place of any value."""

from typing import Any

EXPRESSION = r"\$\{"
MESSAGE = "the only string allowed here is a ${…}"

Schema = dict[str, Any]


def expression() -> Schema:
    return {"type": "string", "pattern": EXPRESSION, "patternErrorMessage": MESSAGE}


def opened(schema: Schema) -> Schema:
    """Extend a schema to accept an expression, if possible without another branch.

    With fewer branches, an editor has fewer messages to choose from when a value is wrong.
    """
    if "enum" in schema or "const" in schema:
        beside = {"default", "description"} & schema.keys()
        bare = {key: value for key, value in schema.items() if key not in beside}
        return {"anyOf": [bare, expression()]} | {key: schema[key] for key in sorted(beside)}
    if "string" not in types(schema):
        return schema | expression() | {"type": [*types(schema), "string"]}
    if "pattern" in schema:
        return schema | {"pattern": f"{schema['pattern']}|{EXPRESSION}"}
    return schema


def types(schema: Schema) -> list[str]:
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(named)

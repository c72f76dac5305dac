"""``${…}`` in the schema: a text that holds one may stand wherever a value is put in."""

from typing import Any

EXPRESSION = r"\$\{"
MESSAGE = "the only string allowed here is a ${…}"

Schema = dict[str, Any]


def expression() -> Schema:
    return {"type": "string", "pattern": EXPRESSION, "patternErrorMessage": MESSAGE}


def opened(schema: Schema) -> Schema:
    """A schema that takes an expression as well, without another branch where it can be helped.

    One branch less is one message less to choose from when something is wrong.
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

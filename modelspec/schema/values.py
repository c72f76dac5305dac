"""One argument of a Keras object → its schema."""

import ast
from typing import Any

from modelspec.catalog import Argument
from modelspec.catalog.entries import FROM
from modelspec.schema.docs import first_sentence
from modelspec.schema.expressions import EXPRESSION, MESSAGE, Schema, expression

_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string", "list": "array"}


def value(argument: Argument) -> Schema:
    """Return the schema of an argument's value, with its default and Keras's help."""
    schema = _object(argument) if argument.family else _plain(argument)
    default = _default(argument)
    return schema | ({} if default is None else {"default": default}) | _help(argument)


def _help(argument: Argument) -> Schema:
    text = argument.help
    if argument.default == FROM:
        text = f"{text}\n\nA tensor that `from` names, or a constant."
    elif not argument.required:
        text = f"{text}\n\nDefault: `{argument.default}`." if text else f"{argument.default}"
    short = first_sentence(argument.help) or argument.name
    return {"description": short} | ({"markdownDescription": text} if text else {})


def _default(argument: Argument) -> Any:
    """Return the default as JSON has it; None for null as well, which is not shown."""
    try:
        default = ast.literal_eval(argument.default or "None")
    except (ValueError, SyntaxError):
        return None
    return default if isinstance(default, bool | int | float | str | tuple | list) else None


def _object(argument: Argument) -> Schema:
    """Accept Keras objects; a list or a number is another branch where Keras accepts it."""
    one = {"$ref": f"#/definitions/{argument.family}"}
    others = [] if argument.required and argument.kinds else ["null"]
    others += ["number"] if "float" in argument.kinds else []
    others += ["array"] if argument.many else []
    plain: Schema = {"type": others} | ({"items": one} if argument.many else {})
    branches = ([one] if "object" in argument.kinds else []) + ([plain] if others else [])
    return {"anyOf": branches if "object" in argument.kinds else [*branches, expression()]}


def _plain(argument: Argument) -> Schema:
    # With null first, editors do not insert the default when they complete the object.
    nullable = not (argument.required and argument.kinds)
    kinds = argument.kinds & _TYPES.keys() if argument.kinds else _TYPES.keys()
    types = (["null"] if nullable else []) + [_TYPES[kind] for kind in _TYPES if kind in kinds]
    schema: Schema = {"type": types}
    if "array" in types:
        schema["items"] = _items(argument)
    if "string" not in types:
        types.append("string")
        return schema | {"pattern": EXPRESSION, "patternErrorMessage": MESSAGE}
    if not argument.choices:
        return schema
    pattern = f"{EXPRESSION}|^(?:{'|'.join(map(any_case, argument.choices))})$"
    message = f"one of {', '.join(argument.choices)}, or a ${{…}}"
    listed = {"type": "string", "enum": list(argument.choices), "errorMessage": message}
    return {"anyOf": [listed, schema | {"pattern": pattern, "patternErrorMessage": message}]}


def _items(argument: Argument) -> Schema:
    """Return the types of a list's items; Keras says only enough to tell numbers from texts."""
    types = ["number", "boolean", "null", "array", "string"]
    if "str" in argument.kinds or not argument.kinds & {"int", "float"}:
        return {"type": types}
    return {"type": types, "pattern": EXPRESSION, "patternErrorMessage": MESSAGE}


def any_case(word: str) -> str:
    """Return a pattern for a word in any case, because JSON Schema has no flag for it."""
    return "".join(f"[{char.lower()}{char.upper()}]" if char.isalpha() else char for char in word)

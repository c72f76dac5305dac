"""Every Keras object: its name, or a one-key mapping from its name to its arguments."""

import re
from collections.abc import Iterable

from modelspec.catalog import FAMILIES, Argument, Catalog, Entry, Family
from modelspec.language.spec import LAYER_KEYS
from modelspec.schema.docs import first_sentence, markdown
from modelspec.schema.expressions import EXPRESSION, MESSAGE, Schema, expression
from modelspec.schema.values import any_case, value

MAPPING: Schema = {
    "type": "object",
    "minProperties": 1,
    "allOf": [{"patternProperties": {"": True}}],
}
"""A keyword that lists the keys of one form. ``allOf`` adds no rule, but yaml-language-server
chooses the form whose problems it shows by the keys that match; an unknown key matches only this.
"""


def objects(catalog: Catalog) -> dict[str, Schema]:
    """Return the definitions of all families, their members, and the members' arguments."""
    definitions: dict[str, Schema] = {}
    arguments: dict[Argument, str] = {}
    for family in FAMILIES:
        if family != "operation":  # no argument takes an operation
            definitions[family] = _family(catalog, family)
        for entry in _entries(catalog, family):
            text = {"markdownDescription": markdown(entry.doc) or entry.name}
            whole = _entry(entry, entry.arguments, arguments)
            if family == "layer":
                inside = [name for name in entry.arguments if name not in LAYER_KEYS]
                definitions[f"item.{entry.name}"] = _entry(entry, inside, arguments) | text
            definitions[f"{family}.{entry.name}"] = whole if family == "layer" else whole | text
    return definitions | {name: value(argument) for argument, name in arguments.items()}


def _family(catalog: Catalog, family: Family) -> Schema:
    """Accept one object of a family; any value where that family of Keras is unreadable."""
    if not catalog.names(family):
        return {}
    keys = properties(catalog, family, family)
    # Next to ``properties``, ``maxProperties`` would keep editors from offering the first key.
    single = {"allOf": [*MAPPING["allOf"], {"maxProperties": 1}]}
    mapping = MAPPING | keys | single | {"additionalProperties": False}
    # Names come first, because only then do editors offer both forms on an empty line.
    return {"anyOf": [*bare(catalog, family), mapping, expression()]}


def properties(catalog: Catalog, family: Family, prefix: str) -> Schema:
    """Return names as keys: classes are suggested, functions and aliases are accepted."""
    classes, others = {}, {}
    for entry in _entries(catalog, family):
        reference = {"$ref": f"#/definitions/{prefix}.{entry.name}"}
        if entry.function:
            others[f"^{entry.name}$"] = reference
        else:
            classes[entry.name] = reference
    for alias in sorted(set(catalog.known(family)) - set(catalog.names(family))):
        meant = catalog.find(family, alias)
        name = meant.name if meant else alias
        spelling = any_case(alias) if family == "optimizer" else alias
        spelling = re.escape(spelling) if family == "operation" else spelling
        others[f"^(?!{re.escape(name)}$){spelling}$"] = {"$ref": f"#/definitions/{prefix}.{name}"}
    return {"properties": classes, "patternProperties": others}


def bare(catalog: Catalog, family: Family) -> list[Schema]:
    """Return the names that can be written alone, because they have no required argument."""
    alone = alone_in(catalog, family)
    if not alone:
        return []
    message = f"Keras has no {family} of this name without required arguments"
    listed: Schema = {
        "type": "string",
        "enum": list(alone),
        "markdownEnumDescriptions": [entry.help for entry in alone.values()],
        "errorMessage": message,
    }
    if family != "optimizer":
        return [listed]
    spellings = "|".join(any_case(name) for name in sorted({name.lower() for name in alone}))
    return [listed, {"type": "string", "pattern": f"^(?:{spellings})$"}]


def alone_in(catalog: Catalog, family: Family) -> dict[str, Entry]:
    """Return the objects, by name and alias, that need no arguments."""
    entries = {name: catalog.find(family, name) for name in catalog.known(family)}
    return {name: entry for name, entry in entries.items() if entry and not _required(entry)}


def _entry(entry: Entry, names: Iterable[str], arguments: dict[Argument, str]) -> Schema:
    """Accept the arguments of one object; also no value, where no argument is required."""
    references = {}
    for name in names:
        argument = entry.arguments[name]
        definition = arguments.setdefault(argument, f"argument.{entry.name}.{name}")
        references[name] = {"$ref": f"#/definitions/{definition}"}
    required = [name for name in references if entry.arguments[name].required]
    schema: Schema = {
        "type": ["object", "string"] if required else ["object", "null", "string"],
        "pattern": EXPRESSION,
        "patternErrorMessage": MESSAGE,
        "title": entry.name,
        "description": first_sentence(entry.help) or entry.name,
    }
    if references:
        schema["properties"] = references
    if required:
        schema["required"] = required
    return schema if entry.extra else schema | {"additionalProperties": False}


def _required(entry: Entry) -> bool:
    return any(argument.required for argument in entry.arguments.values())


def _entries(catalog: Catalog, family: Family) -> list[Entry]:
    entries = (catalog.find(family, name) for name in catalog.names(family))
    return [entry for entry in entries if entry is not None]

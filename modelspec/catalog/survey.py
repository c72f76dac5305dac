"""Creation of the whole catalogue from the source of an installed Keras."""

import ast
from typing import Any

from modelspec.catalog import docs, signatures
from modelspec.catalog.disallowed import DISALLOWED
from modelspec.catalog.entries import FAMILIES, FROM, Family, Payload
from modelspec.catalog.entry_rows import Keras, Table, argument_row, argument_rows, bare_entry
from modelspec.catalog.operations import find_operations, read_signature
from modelspec.catalog.source import Definition

_PACKAGES: dict[Family, str] = {
    "layer": "layers",
    "optimizer": "optimizers",
    "loss": "losses",
    "metric": "metrics",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "schedule": "optimizers.schedules",
    "callback": "callbacks",
    "activation": "activations",
    "operation": "ops",
}
_FUNCTION_INPUTS: dict[Family, int] = {"loss": 2, "metric": 2, "activation": 1}
"""Families that can contain functions, and the number of tensors that such a function takes."""

_TENSOR_KINDS = ["bool", "float", "int", "list"]
"""The types of a constant that a spec writes in the place of a tensor of an operation."""

_NOT_WRITTEN = frozenset({"input_tensor", "name"})
"""Arguments of a model of ``keras.applications`` that the item which uses it determines."""

_CHOICES = {"weights": ("imagenet",), "pooling": ("avg", "max")}
"""Keras silently ignores other poolings; other weights would be files."""

_MACHINERY = frozenset({"get", "serialize", "deserialize"})
_BY_SHAPE: dict[Family, str] = {"metric": "get_metric", "loss": "get_loss"}
"""The function that resolves names like ``acc``, whose meaning depends on shapes of the data."""


def survey(keras: Keras) -> Payload:
    """Create the whole catalogue; unreadable parts are left out or left open."""
    table: Table = {}
    families = {family: _family(keras, family, table) for family in FAMILIES}
    arguments = [row for _, row in table.values()]
    return {"version": keras.version, "arguments": arguments, "families": families}


def has_layers(payload: Payload) -> bool:
    """Return True where the catalogue has ``Dense``, which every Keras has."""
    return "Dense" in payload["families"]["layer"]["entries"]


def is_whole(payload: Payload) -> bool:
    """Return True where every family has members."""
    families = payload["families"].values()
    return has_layers(payload) and all(_is_offered(family) for family in families)


def _is_offered(family: dict[str, Any]) -> bool:
    return any(entry["doc"] and not entry["refused"] for entry in family["entries"].values())


def _family(keras: Keras, family: Family, table: Table) -> dict[str, Any]:
    if family == "operation":
        return _operations(keras, table)
    public = _exports(keras, family)
    canonical = _canonical(public)
    entries = {
        name: entry_of(keras, family, name, public[name], table) for name in canonical.values()
    }
    if family == "layer":
        entries |= _applications(keras, table)
    for name, reason in DISALLOWED[family].items():
        entries.setdefault(name, bare_entry(reason))
    meant = public | keras.aliases(_PACKAGES[family])
    by_shape = _by_shape(keras, family)
    aliases = {
        alias: canonical[definition]
        for alias, definition in meant.items()
        if canonical.get(definition, alias) != alias and alias not in by_shape
    }
    # Keras exports `binary_accuracy` as a function, but takes the name for the class.
    entries = {name: entry for name, entry in entries.items() if name not in aliases}
    for name in by_shape:
        entries[name] = bare_entry(None, "Chosen by Keras to suit the shapes of the data.")
    return {"entries": entries, "aliases": aliases}


def _applications(keras: Keras, table: Table) -> dict[str, Any]:
    """Return the models of ``keras.applications``, which a spec uses as layers."""
    exported = keras.exports("applications").items()
    functions = [
        (name, definition)
        for name, definition in exported
        if isinstance(definition.node, ast.FunctionDef)
    ]
    return {name: _application(keras, name, definition, table) for name, definition in functions}


def _application(keras: Keras, name: str, definition: Definition, table: Table) -> dict[str, Any]:
    assert isinstance(definition.node, ast.FunctionDef)
    doc = keras.docstring([definition])
    helps = docs.argument_helps(doc)
    rows = []
    for parameter in signatures.parameters(definition, definition.node):
        row = argument_row("layer", parameter, helps.get(parameter.name, ""))
        if parameter.name in _CHOICES:
            choices = list(_CHOICES[parameter.name])
            row = [parameter.name, parameter.default, ["str"], None, False, choices, row[-1]]
        if parameter.name not in _NOT_WRITTEN:
            rows.append(row)
    return bare_entry(DISALLOWED["layer"].get(name), docs.first_sentence(doc)) | {
        "doc": doc,
        "arguments": [table.setdefault(repr(row), (len(table), row))[0] for row in rows],
        "function": False,
        "module": definition.module,
    }


def _operations(keras: Keras, table: Table) -> dict[str, Any]:
    functions, aliases = find_operations(keras)
    entries = {
        name: _operation(keras, name, definition, table) for name, definition in functions.items()
    }
    for name, reason in DISALLOWED["operation"].items():
        entries.setdefault(name, bare_entry(reason))
    return {"entries": entries, "aliases": aliases}


def _operation(keras: Keras, name: str, definition: Definition, table: Table) -> dict[str, Any]:
    doc = keras.docstring([definition])
    signature = read_signature(definition, doc)
    helps = docs.argument_helps(doc)
    rows = []
    for parameter in signature.parameters:
        text = helps.get(parameter.name, "")
        row = argument_row("operation", parameter, text)
        if parameter.name in signature.tensors:
            row = [parameter.name, parameter.default or FROM, _TENSOR_KINDS, None, False, [], text]
        rows.append(row)
    refused = DISALLOWED["operation"].get(name) or signature.refused
    return bare_entry(refused, docs.first_sentence(doc)) | {
        "doc": doc,
        "arguments": [table.setdefault(repr(row), (len(table), row))[0] for row in rows],
        "extra": signature.extra,
        "call_arguments": list(signature.tensors),
        "several": sorted(signature.several),
        "function": False,
    }


def _exports(keras: Keras, family: Family) -> dict[str, Definition]:
    wanted = ast.ClassDef if family not in _FUNCTION_INPUTS else ast.ClassDef | ast.FunctionDef
    return {
        name: definition
        for name, definition in keras.exports(_PACKAGES[family]).items()
        if isinstance(definition.node, wanted) and name not in _MACHINERY
    }


def _canonical(public: dict[str, Definition]) -> dict[Definition, str]:
    """Return one name for each object: its own, or the first under which Keras exports it."""
    names: dict[Definition, str] = {}
    for name, definition in public.items():
        if definition not in names or name == definition.node.name:
            names[definition] = name
    return names


def entry_of(
    keras: Keras, family: Family, name: str, definition: Definition, table: Table
) -> dict[str, Any]:
    """Return one object as plain data; the rows of its arguments are added to ``table``."""
    lineage = keras.lineage(definition)
    doc = keras.docstring(lineage)
    entry = bare_entry(DISALLOWED[family].get(name), docs.first_sentence(doc)) | {"doc": doc}
    if isinstance(definition.node, ast.FunctionDef):
        return entry | {"refused": entry["refused"] or _needs_more(family, definition)}
    parameters, extra = signatures.accepted(lineage)
    calls = (
        (signatures.method(definition, "call") for definition in lineage)
        if family == "layer"
        else ()
    )
    call = next((method for method in calls if method), None)
    rows = argument_rows(keras, family, lineage, parameters)
    return entry | {
        "arguments": [table.setdefault(repr(row), (len(table), row))[0] for row in rows],
        "extra": extra,
        "call_arguments": [argument.arg for argument in call.args.args[1:]] if call else [],
        "function": False,
        "adapts": family == "layer"
        and any(signatures.method(definition, "adapt") is not None for definition in lineage),
    }


def _needs_more(family: Family, definition: Definition) -> str | None:
    if not isinstance(definition.node, ast.FunctionDef) or family not in _FUNCTION_INPUTS:
        return None
    parameters = signatures.parameters(definition, definition.node)
    needed = [parameter.name for parameter in parameters if parameter.default is None][
        _FUNCTION_INPUTS[family] :
    ]
    return f"it needs {' and '.join(needed)}, which a spec cannot pass to a function" * bool(needed)


def _by_shape(keras: Keras, family: Family) -> list[str]:
    definition = keras.trainer_function(_BY_SHAPE[family]) if family in _BY_SHAPE else None
    for node in ast.walk(definition.node) if definition else ():
        match node:
            case ast.Compare(ops=[ast.NotIn()], comparators=[ast.List(elts=names)]):
                return [
                    str(literal.value) for literal in names if isinstance(literal, ast.Constant)
                ]
    return []

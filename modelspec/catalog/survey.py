"""The whole catalogue, from the source text of an installed Keras."""

import ast
import re
from typing import Any

from modelspec.catalog import docs, kinds, signatures
from modelspec.catalog.disallowed import DISALLOWED
from modelspec.catalog.entries import FAMILIES, Family, Payload
from modelspec.catalog.source import Definition, Source

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
}
_FUNCTION_INPUTS: dict[Family, int] = {"loss": 2, "metric": 2, "activation": 1}
"""Families whose members may be functions, and how much data such a function is called with."""

_MACHINERY = frozenset({"get", "serialize", "deserialize"})
_BY_SHAPE: dict[Family, str] = {"metric": "get_metric", "loss": "get_loss"}
"""Where Keras keeps names like ``acc``, whose meaning depends on the shapes of the data."""

Table = dict[str, tuple[int, list[Any]]]
"""Arguments that differ, with their number: many classes have the same ones."""


def release(source: Source) -> str:
    return source.constant(f"{source.package}.src.version", "__version__") or "unknown"


def survey(source: Source) -> Payload:
    """Reads the package's source text; what cannot be read is left out or left open."""
    table: Table = {}
    families = {family: _family(source, family, table) for family in FAMILIES}
    arguments = [row for _, row in table.values()]
    return {"version": release(source), "arguments": arguments, "families": families}


def _family(source: Source, family: Family, table: Table) -> dict[str, Any]:
    package = source.package
    public = _exports(source, f"{package}.{_PACKAGES[family]}", family)
    canonical = _canonical(public)
    entries = {
        name: _entry(source, family, name, public[name], table) for name in canonical.values()
    }
    for name, reason in DISALLOWED[family].items():
        entries.setdefault(name, _bare(reason))
    aliases = {name: canonical[found] for name, found in public.items() if canonical[found] != name}
    aliases |= _aliases(source, f"{package}.src.{_PACKAGES[family]}", canonical)
    by_shape = _by_shape(source, f"{package}.src.trainers.compile_utils", family)
    aliases = {alias: name for alias, name in aliases.items() if alias not in by_shape}
    # Keras exports `binary_accuracy` as a function, but takes the name for the class.
    entries = {name: entry for name, entry in entries.items() if name not in aliases}
    for name in by_shape:
        entries[name] = _bare(None, "Chosen by Keras to suit the shapes of the data.")
    return {"entries": entries, "aliases": aliases}


def _exports(source: Source, module: str, family: Family) -> dict[str, Definition]:
    found = {}
    for name in source.names(module):
        definition = source.resolve(module, name)
        wanted = ast.ClassDef if family not in _FUNCTION_INPUTS else ast.ClassDef | ast.FunctionDef
        if definition and isinstance(definition.node, wanted) and name not in _MACHINERY:
            found[name] = definition
    return found


def _canonical(public: dict[str, Definition]) -> dict[Definition, str]:
    """One name for each object: its own, or the first that Keras exports it under."""
    names: dict[Definition, str] = {}
    for name, definition in public.items():
        if definition not in names or name == definition.node.name:
            names[definition] = name
    return names


def _entry(
    source: Source, family: Family, name: str, definition: Definition, table: Table
) -> dict[str, Any]:
    lineage = source.lineage(definition)
    doc = docs.docstring(source, lineage)
    entry = _bare(DISALLOWED[family].get(name), docs.first_sentence(doc)) | {"doc": doc}
    if isinstance(definition.node, ast.FunctionDef):
        return entry | {"refused": entry["refused"] or _needs_more(family, definition)}
    found, extra = signatures.accepted(lineage)
    calls = (signatures.method(each, "call") for each in lineage) if family == "layer" else ()
    call = next((each for each in calls if each), None)
    rows = _arguments(source, family, lineage, found)
    return entry | {
        "arguments": [table.setdefault(repr(row), (len(table), row))[0] for row in rows],
        "extra": extra,
        "call_arguments": [each.arg for each in call.args.args[1:]] if call else [],
        "function": False,
    }


def _bare(refused: str | None, text: str = "") -> dict[str, Any]:
    return {
        "arguments": [],
        "extra": False,
        "call_arguments": [],
        "help": text,
        "doc": text,
        "refused": refused,
        "function": True,
    }


def _needs_more(family: Family, definition: Definition) -> str | None:
    if not isinstance(definition.node, ast.FunctionDef):
        return None
    found = signatures.parameters(definition, definition.node)
    needed = [each.name for each in found if each.default is None][_FUNCTION_INPUTS[family] :]
    return f"it needs {' and '.join(needed)}, which a spec cannot give a function" * bool(needed)


def _arguments(
    source: Source, family: Family, lineage: list[Definition], found: list[signatures.Parameter]
) -> list[list[Any]]:
    """One row an argument; its help is the nearest class's that has any."""
    helps: dict[str, str] = {}
    for definition in reversed(lineage):
        place = lineage.index(definition)
        helps |= docs.argument_helps(docs.docstring(source, lineage[place:]))
    return [_row(family, each, helps.get(each.name, "")) for each in found]


def _row(owner: Family, parameter: signatures.Parameter, text: str) -> list[Any]:
    family, forms = kinds.objects(owner, parameter.name)
    return [
        parameter.name,
        parameter.default,
        sorted(forms if family else kinds.kinds(owner, parameter.name, parameter.default, text)),
        family,
        bool(family) and "list" in forms,
        [] if family else list(kinds.choices(parameter.name, text)),
        text,
    ]


def _aliases(source: Source, module: str, canonical: dict[Definition, str]) -> dict[str, str]:
    """The names that Keras's own ``get`` goes by, from its ``ALL_OBJECTS_DICT``."""
    meant: dict[str, ast.expr] = {}
    for node in source.tree(module).body:
        meant |= _table_of(node, _members(source, module))
    found = {alias: source.resolve(module, ast.unparse(name)) for alias, name in meant.items()}
    return {
        alias: canonical[definition]
        for alias, definition in found.items()
        if definition in canonical and canonical[definition] != alias
    }


def _members(source: Source, module: str) -> list[ast.expr]:
    for node in source.tree(module).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="ALL_OBJECTS")], value=ast.Set(elts=members)):
                return members
    return []


def _table_of(node: ast.stmt, members: list[ast.expr]) -> dict[str, ast.expr]:
    match node:
        case (
            ast.Assign(targets=[ast.Name(id="ALL_OBJECTS_DICT")], value=ast.DictComp(key=key))
            | ast.Expr(value=ast.Call(args=[ast.DictComp(key=key)]))
        ):
            return {_spell(ast.unparse(key), ast.unparse(each)): each for each in members}
        case ast.Expr(value=ast.Call(args=[ast.Dict(keys=keys, values=values)])):
            pairs = zip(keys, values, strict=True)
            return {str(key.value): each for key, each in pairs if isinstance(key, ast.Constant)}
        case ast.Assign(
            targets=[ast.Subscript(value=ast.Name(id="ALL_OBJECTS_DICT"), slice=ast.Constant(key))],
            value=each,
        ):
            return {str(key): each}
    return {}


def _spell(key: str, name: str) -> str:
    if "lower" in key:
        return name.lower()
    if "snake" in key:
        words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
        return re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
    return name


def _by_shape(source: Source, module: str, family: Family) -> list[str]:
    definition = source.resolve(module, _BY_SHAPE.get(family, ""))
    for node in ast.walk(definition.node) if definition else ():
        match node:
            case ast.Compare(ops=[ast.NotIn()], comparators=[ast.List(elts=names)]):
                return [str(each.value) for each in names if isinstance(each, ast.Constant)]
    return []

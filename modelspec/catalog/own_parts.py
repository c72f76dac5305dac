"""Entries of the catalogue for the parts that plugins offer, read from their text."""

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelspec.catalog.entries import FAMILIES, Family, Payload
from modelspec.catalog.plugins import Plugin, imported_names, registered
from modelspec.catalog.signatures import method
from modelspec.catalog.source import Definition, Source
from modelspec.catalog.survey import entry_of
from modelspec.problems.errors import PluginError

if TYPE_CHECKING:
    from modelspec.catalog.entry_rows import Table

_BASES: dict[str, Family] = {
    "Layer": "layer",
    "Loss": "loss",
    "Metric": "metric",
    "Optimizer": "optimizer",
    "Initializer": "initializer",
    "Regularizer": "regularizer",
    "Constraint": "constraint",
    "LearningRateSchedule": "schedule",
    "Callback": "callback",
}
_PUBLIC = {
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Optimizer": "optimizers",
    "Initializer": "initializers",
    "Regularizer": "regularizers",
    "Constraint": "constraints",
}
"""Base classes that Keras also exports at its top level, with their packages."""

_TWO = 2
_KINDS = {"int": "int", "float": "float", "bool": "bool", "str": "str"}
_KINDS |= dict.fromkeys(("list", "tuple", "Sequence", "List", "Tuple"), "list")


class PluginSource:
    """The answers to a survey of one plugin, in addition to those of Keras's source."""

    def __init__(self, plugin: Plugin, keras: Source) -> None:
        self.module = str(plugin.path)
        self._keras = keras
        self._tree = plugin.tree()
        self._imports = imported_names(self._tree)
        self._classes = {n.name: n for n in self._tree.body if isinstance(n, ast.ClassDef)}

    @property
    def version(self) -> str:
        return self._keras.version

    def exports(self, package: str) -> dict[str, Definition]:
        return self._keras.exports(package)

    def aliases(self, package: str) -> dict[str, Definition]:
        return self._keras.aliases(package)

    def trainer_function(self, name: str) -> Definition | None:
        return self._keras.trainer_function(name)

    def lineage(self, definition: Definition) -> list[Definition]:
        """Return a class of the plugin and its bases, in the plugin and in Keras, nearest first."""
        line = [definition]
        node = definition.node
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            dotted = ast.unparse(base)
            own = self._classes.get(dotted)
            if own is not None and own is not node:
                line += self.lineage(Definition(self.module, own))
            elif (ancestor := self._in_keras(dotted)) is not None:
                line += self._keras.lineage(ancestor)
        return line

    def docstring(self, lineage: list[Definition]) -> str:
        if lineage[0].module == self.module:
            return ast.get_docstring(lineage[0].node) or ""
        return self._keras.docstring(lineage)

    def _in_keras(self, dotted: str) -> Definition | None:
        head, _, rest = dotted.partition(".")
        whole = f"{self._imports.get(head, head)}.{rest}".strip(".")
        whole = whole.removeprefix("tensorflow.").removeprefix("tf.")
        package, _, name = whole.removeprefix("keras.").rpartition(".")
        package = package or _PUBLIC.get(name, "")
        return self._keras.resolve(f"keras.{package}", name) if package else None


def with_plugins(payload: Payload, plugins: tuple[Plugin, ...], keras: Source) -> Payload:
    """Return a catalogue with the parts of plugins added.

    Raises:
        PluginError: A plugin's part has the name of a part of Keras or of another plugin.
    """
    families = {
        family: {
            "entries": dict(payload["families"][family]["entries"]),
            "aliases": payload["families"][family]["aliases"],
        }
        for family in FAMILIES
    }
    rows = list(payload["arguments"])
    for plugin in plugins:
        source = PluginSource(plugin, keras)
        for node in registered(plugin.tree()):
            definition = Definition(source.module, node)
            for family in _families(source, definition, plugin):
                _refuse_taken(families[family], family, node, plugin)
                entry = _entry(source, family, definition, rows)
                families[family]["entries"][node.name] = entry | {"plugin": plugin.name}
    return {**payload, "arguments": rows, "families": families}


def _refuse_taken(
    family: Mapping[str, Any], name: Family, node: ast.ClassDef | ast.FunctionDef, plugin: Plugin
) -> None:
    known = family["entries"].get(node.name)
    place = f"{plugin.path}:{node.lineno}"
    if known is not None and known.get("plugin"):
        raise PluginError(f"{place}: {node.name} is registered by {known['plugin']} too: rename it")
    if known is not None or node.name in family["aliases"]:
        raise PluginError(f"{place}: Keras has a {name} named {node.name}: rename yours")


def _families(source: PluginSource, definition: Definition, plugin: Plugin) -> list[Family]:
    node = definition.node
    if isinstance(node, ast.FunctionDef):
        return _of_function(node)
    for base in source.lineage(definition)[1:]:
        if base.node.name in _BASES and base.module != source.module:
            return [_BASES[base.node.name]]
    raise PluginError(
        f"{plugin.path}:{node.lineno}: a spec cannot use {node.name}: its base class is not "
        f"one of Keras's {', '.join(_BASES)}"
    )


def _of_function(node: ast.FunctionDef) -> list[Family]:
    """Return a function's families: loss and metric for two arguments, activation for one."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    needed = len(arguments) - len(node.args.defaults)
    if arguments and arguments[0].arg == "shape":
        return ["initializer"]
    if needed == _TWO:
        return ["loss", "metric"]
    return ["activation", "regularizer", "constraint"]


def _entry(
    source: PluginSource, family: Family, definition: Definition, rows: list[list[Any]]
) -> dict[str, Any]:
    table: Table = {}
    entry = entry_of(source, family, definition.node.name, definition, table)
    made = [row for _, row in table.values()]
    kinds = _annotated(source, definition)
    offset = len(rows)
    for row in made:
        plain = row[3] is None and row[0] in kinds
        rows.append([*row[:2], sorted(kinds[row[0]]), *row[3:]] if plain else row)
    node = definition.node
    return entry | {
        "arguments": [offset + index for index in entry["arguments"]],
        "refused": None,
        "targets": family != "loss" or _reads_targets(node),
        "adds_loss": family == "layer" and "add_loss(" in ast.unparse(node),
    }


def _annotated(source: PluginSource, definition: Definition) -> dict[str, set[str]]:
    """Return the types of arguments whose annotations name only plain types."""
    types: dict[str, set[str]] = {}
    for owner in reversed(source.lineage(definition)):
        init = method(owner, "__init__") if owner.module == source.module else None
        for argument in [*init.args.args, *init.args.kwonlyargs] if init else ():
            names = _names(argument.annotation)
            if names and all(name in _KINDS or name == "None" for name in names):
                types[argument.arg] = {_KINDS[name] for name in names if name != "None"}
    return types


def _names(annotation: ast.expr | None) -> set[str]:
    if annotation is None:
        return set()
    if isinstance(annotation, ast.Subscript):
        return _names(annotation.value)
    if isinstance(annotation, ast.BinOp):
        return _names(annotation.left) | _names(annotation.right)
    return {ast.unparse(annotation).rpartition(".")[2]}


def _reads_targets(node: ast.ClassDef | ast.FunctionDef) -> bool:
    """Return True where a loss uses its first argument, the targets."""
    function = node
    skipped = 0
    if isinstance(node, ast.ClassDef):
        calls = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "call"]
        if not calls:
            return True
        function, skipped = calls[0], 1
    assert isinstance(function, ast.FunctionDef)
    arguments = function.args.args[skipped:]
    if not arguments:
        return True
    return any(
        isinstance(inner, ast.Name) and inner.id == arguments[0].arg
        for statement in function.body
        for inner in ast.walk(statement)
    )

"""Keras objects in one form, whatever their spelling: real names, no defaults, no equal lists."""

import ast
from collections.abc import Mapping
from typing import Any

from modelspec.catalog import Argument, Catalog, Entry, Family
from modelspec.catalog.entries import item_family
from modelspec.graph.graph import Node
from modelspec.language.written import Written

_SIZES = {"kernel_size", "strides", "dilation_rate", "pool_size", "size"}
"""Arguments that are one number for all axes, or a number for each."""

Arguments = Mapping[str, Any]


class Normal:
    """The normal form of layers and other objects."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def node(self, node: Node) -> tuple[str, dict[str, Any]]:
        """Return the real name of a node's layer, and all its settings except its inputs."""
        entry = self._catalog.find(item_family(node.type), node.type)
        written = dict(node.arguments)
        normal_arguments = self.arguments(entry, written) if entry is not None else written
        normal_arguments |= {f"call {key}": plain(value) for key, value in node.call.items()}
        normal_arguments |= dict(node.options)
        return (entry.name if entry is not None else node.type), normal_arguments

    def arguments(self, entry: Entry, written: Arguments) -> dict[str, Any]:
        """Return the arguments that differ from their defaults."""
        differing: dict[str, Any] = {}
        for name, value in written.items():
            argument = entry.arguments.get(name)
            normal = self.value(argument, value)
            if argument is None or argument.required or normal != self.default(argument):
                differing[name] = normal
        return differing

    def default(self, argument: Argument) -> Any:
        try:
            value = ast.literal_eval(argument.default or "None")
        except (ValueError, SyntaxError):
            return object()
        return self.value(argument, value)

    def value(self, argument: Argument | None, value: Any) -> Any:
        if argument is None or argument.family is None or value is None:
            if argument is not None and argument.family == "activation":
                return "linear"
            return _size(plain(value)) if argument and argument.name in _SIZES else plain(value)
        if argument.many and isinstance(value, list | tuple):
            return [self.item(argument.family, item) for item in value]
        return self.item(argument.family, value)

    def item(self, family: Family, value: Any) -> Any:
        """Return the form of one object: its real name, with its arguments if there are any."""
        written = Written.read(value)
        entry = self._catalog.find(family, written.name) if written is not None else None
        if written is None or entry is None:
            return plain(value)
        arguments = self.arguments(entry, written.arguments)
        return {entry.name: arguments} if arguments else entry.name


def plain(value: Any) -> Any:
    """Convert tuples to lists, at all levels."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def _size(value: Any) -> Any:
    one = isinstance(value, list) and value and all(item == value[0] for item in value)
    return value[0] if one else value

"""The nodes of a YAML tree, each with its place."""

from dataclasses import dataclass
from typing import Any

from modelspec.problems.diagnostic import Span, Unknown

Scalar = str | int | float | bool | Unknown | None


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A scalar, a sequence or a mapping, with its place.

    ``option`` is None for a node of the file, and PATH=VALUE for a node from an option.
    """

    content: "Scalar | list[YamlNode] | dict[str | int, YamlEntry]"
    span: Span
    option: str | None = None

    def data(self) -> Any:
        """The node as plain dicts, lists and scalars, without places."""
        if isinstance(self.content, dict):
            return {key: entry.value.data() for key, entry in self.content.items()}
        if isinstance(self.content, list):
            return [item.data() for item in self.content]
        return self.content


@dataclass(frozen=True, slots=True)
class YamlEntry:
    """One ``key: value`` of a mapping."""

    key: Span
    value: YamlNode

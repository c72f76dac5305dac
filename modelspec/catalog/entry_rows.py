"""Entries of the catalogue, and rows of their arguments, as plain data."""

from typing import Any, Protocol

from modelspec.catalog import docs, kinds, signatures
from modelspec.catalog.entries import Family
from modelspec.catalog.source import Definition

Table = dict[str, tuple[int, list[Any]]]
"""Arguments that differ, with their numbers, because many classes have the same ones."""


class Keras(Protocol):
    """The sources of a survey: the source text of Keras, or Keras itself.

    A ``package`` is a name like ``optimizers.schedules``.
    """

    @property
    def version(self) -> str: ...
    def exports(self, package: str) -> dict[str, Definition]: ...
    def aliases(self, package: str) -> dict[str, Definition]: ...
    def trainer_function(self, name: str) -> Definition | None: ...
    def lineage(self, definition: Definition) -> list[Definition]: ...
    def docstring(self, lineage: list[Definition]) -> str: ...


def bare_entry(refused: str | None, text: str = "") -> dict[str, Any]:
    """Return an entry without arguments, which a spec writes as a name."""
    return {
        "arguments": [],
        "extra": False,
        "call_arguments": [],
        "help": text,
        "doc": text,
        "refused": refused,
        "function": True,
        "adapts": False,
        "several": [],
        "module": None,
    }


def argument_rows(
    keras: Keras, family: Family, lineage: list[Definition], parameters: list[signatures.Parameter]
) -> list[list[Any]]:
    """Return one row for each argument; its help is the nearest class's that has one."""
    helps: dict[str, str] = {}
    for definition in reversed(lineage):
        place = lineage.index(definition)
        helps |= docs.argument_helps(keras.docstring(lineage[place:]))
    return [
        argument_row(family, parameter, helps.get(parameter.name, "")) for parameter in parameters
    ]


def argument_row(owner: Family, parameter: signatures.Parameter, text: str) -> list[Any]:
    """Return an argument as a list, in the order of the fields of ``Argument``."""
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

"""Entries of the catalogue as tables."""

from rich.console import Console
from rich.markup import escape

from modelspec.catalog import FAMILIES, Argument, Catalog, Entry, Family
from modelspec.report.prose import print_prose
from modelspec.report.table import print_table


def print_names(console: Console, catalog: Catalog, family: Family) -> None:
    """Print every name of a family with its line of help."""
    entries = (catalog.find(family, name) for name in catalog.names(family))
    rows = [(entry.name, entry.help) for entry in entries if entry]
    print_table(console, (family, "help"), rows, set(), prose=frozenset({1}))


def print_entry(console: Console, entry: Entry) -> None:
    """Print one Keras object: its description, and its arguments with defaults and help."""
    console.print(f"[bold]{escape(entry.name)}[/bold] ({entry.family})", highlight=False)
    print_prose(console, entry.help)
    if entry.refused:
        print_prose(console, f"not in a spec: {entry.refused}")
    rows = [
        (argument.name, _default(argument), argument.help) for argument in entry.arguments.values()
    ]
    if rows:
        console.print()
        print_table(console, ("argument", "default", "help"), rows, set(), prose=frozenset({2}))
    if entry.call_arguments:
        print_prose(console, f"\ncalled with: {', '.join(entry.call_arguments)}")


def find_entries(catalog: Catalog, name: str) -> list[Entry]:
    """Return all entries of that name, layers first."""
    entries = (catalog.find(family, name) for family in FAMILIES)
    return [entry for entry in entries if entry is not None]


def _default(argument: Argument) -> str:
    return "required" if argument.required else str(argument.default)

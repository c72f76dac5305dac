"""Checks of Keras objects and their arguments against the installed Keras.

A mapping must never reach an argument that does not take a Keras object: Keras would read it as
``{class_name, module, config}`` and import the class that it names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from modelspec.catalog import Argument, Catalog, Entry, Family
from modelspec.checks.not_layers import EXAMPLES
from modelspec.checks.plain_values import check_plain, is_number_text, kind_of, wrong_type
from modelspec.checks.suggestions import (
    BESIDE,
    as_mapping,
    meant_argument,
    named_inside,
    right_argument,
    right_name,
    with_article,
)
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Anchor, Diagnostic, Route

_ONLY_KERAS = ("operation", "schedule")
"""Families of which a plugin offers none."""


def check_object(catalog: Catalog, family: Family, value: Any, route: Route) -> list[Diagnostic]:
    """Check one Keras object: its name, or a one-key mapping from its name to its arguments."""
    return list(_object(catalog, family, value, route, nested=False))


def check_arguments(
    catalog: Catalog, entry: Entry, arguments: Mapping[Any, Any], route: Route
) -> list[Diagnostic]:
    """Check the arguments of a known object; the route is that of the whole mapping."""
    return list(_arguments(catalog, entry, arguments, route, nested=False))


def _object(
    catalog: Catalog, family: Family, value: Any, route: Route, *, nested: bool
) -> Iterator[Diagnostic]:
    written = Written.read(value, route)
    if written is None:
        yield _not_an_object(catalog, family, value, route)
        return
    name, arguments, route = written.name, written.raw, written.route
    anchor: Anchor = "value" if written.is_bare else "key"
    entry = catalog.find(family, name)
    if entry is None:
        if catalog.names(family):
            problem = _unknown(catalog, family, name, route, anchor)
            inside = named_inside(catalog, family, {name: arguments})
            yield replace(problem, hint=inside) if inside else problem
    elif entry.refused:
        message = f"{name} cannot be used in a spec: {entry.refused}"
        hint = f"operations on tensors are items: {EXAMPLES}" if name == "Lambda" else None
        yield Diagnostic("refused-object", message, route, anchor, hint=hint)
    elif arguments is not None and not isinstance(arguments, Mapping):
        message = f"write the arguments of {name} as a mapping, argument: value"
        yield Diagnostic("not-an-object", message, route, hint=as_mapping(entry, arguments))
    else:
        yield from _arguments(catalog, entry, arguments or {}, route, nested=nested, anchor=anchor)


def _not_an_object(catalog: Catalog, family: Family, value: Any, route: Route) -> Diagnostic:
    anchor: Anchor = "value"
    if isinstance(value, Mapping) and len(value) == 1:
        route, anchor = (*route, _key(next(iter(value)))), "key"
    message = (
        f"{with_article(family)} is written as its name, or as one key: its name, with its "
        "arguments"
    )
    hint = named_inside(catalog, family, value) if isinstance(value, Mapping) else None
    return Diagnostic("not-an-object", message, route, anchor, hint=hint)


def _unknown(
    catalog: Catalog, family: Family, name: str, route: Route, anchor: Anchor
) -> Diagnostic:
    message = f"Keras has no {family} named {name}"
    hint = right_name(catalog, family, name)
    if hint is None and family not in _ONLY_KERAS:
        hint = f"a custom {family} is Python code: --plugin FILE.py makes it available"
    return Diagnostic(f"unknown-{family}", message, route, anchor, hint=hint)


def _arguments(
    catalog: Catalog,
    entry: Entry,
    arguments: Mapping[Any, Any],
    route: Route,
    *,
    nested: bool,
    anchor: Anchor = "key",
) -> Iterator[Diagnostic]:
    unknown = [name for name in arguments if not _takes(entry, name, nested=nested)]
    hints = {name: right_argument(catalog, entry, name) for name in unknown}
    meant = {meant_argument(entry, name) for name in unknown}
    for argument in entry.arguments.values():
        # A mistyped name is reported once, not also as a missing argument.
        typed = argument.name in arguments or argument.name in meant
        if argument.required and not typed:
            hint = argument.help.split(". ")[0] or None
            message = f"{entry.name} needs {argument.name}"
            yield Diagnostic("missing-argument", message, route, anchor, hint=hint)
    for name, value in arguments.items():
        place = (*route, _key(name))
        if name in hints:
            message = f"{entry.name} has no argument {name}"
            yield Diagnostic("unknown-argument", message, place, "key", hint=hints[name])
        else:
            argument = entry.arguments.get(name) or _anything(str(name))
            yield from _value(catalog, entry, argument, value, place)


def _takes(entry: Entry, name: Any, *, nested: bool) -> bool:
    if entry.family == "layer" and name in BESIDE and not nested:
        return False
    if name == "name" and entry.family == "operation":
        return False
    return name in entry.arguments or (entry.extra and isinstance(name, str))


def _anything(name: str) -> Argument:
    return Argument(name, False, None, frozenset(), None, False, (), "")


def _value(
    catalog: Catalog, entry: Entry, argument: Argument, value: Any, route: Route
) -> Iterator[Diagnostic]:
    if value is None:
        if argument.required and argument.kinds:
            yield wrong_type(entry, argument, "null", route)
    elif argument.family:
        yield from _objects(catalog, entry, argument, value, route)
    else:
        yield from check_plain(entry, argument, value, route)


def _objects(
    catalog: Catalog, entry: Entry, argument: Argument, value: Any, route: Route
) -> Iterator[Diagnostic]:
    family = argument.family
    if family is None or ("float" in argument.kinds and kind_of(value) in {"int", "float"}):
        return
    if "float" in argument.kinds and is_number_text(value):
        yield wrong_type(entry, argument, f"the string {value!r}", route)
    elif isinstance(value, list) and argument.many:
        for index, member in enumerate(value):
            yield from _object(catalog, family, member, (*route, index), nested=True)
    elif "object" not in argument.kinds:
        message = f"{argument.name} of {entry.name} takes a list of {family}s"
        yield Diagnostic("wrong-type", message, route)
    else:
        yield from _object(catalog, family, value, route, nested=True)


def _key(name: Any) -> str | int:
    return name if isinstance(name, str | int) else str(name)

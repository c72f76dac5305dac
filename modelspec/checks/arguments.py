"""Checks of Keras objects and their arguments against the installed Keras.

A mapping must never reach an argument that does not take a Keras object: Keras would read it as
``{class_name, module, config}`` and import the class that it names.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from reprlib import repr as short
from typing import Any

from modelspec.catalog import FAMILIES, Argument, Catalog, Entry, Family
from modelspec.checks import paths
from modelspec.checks.not_layers import EXAMPLES, hint_for, operation_named
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Anchor, Diagnostic, Route, did_you_mean, nearest, offer

_KEYS_OF_NAMES = {"type", "name", "class_name", "class", "layer"}
"""Keys under which other tools write the name of an object."""

_BESIDE = ("name", "trainable", "dtype", "adapt")
_MOVED = {
    **dict.fromkeys(
        ("input_shape", "batch_input_shape", "batch_shape", "input_dim", "input_length"),
        "shapes are written under `inputs`",
    ),
    "decay": "Keras ignores it; use a schedule as the learning_rate",
}
_RENAMED = {
    "lr": "learning_rate",
    "init": "kernel_initializer",
    "inner_activation": "recurrent_activation",
    "output_dim": "units",
    "nb_filter": "filters",
    "nb_row": "kernel_size",
    "nb_col": "kernel_size",
    "border_mode": "padding",
    "subsample": "strides",
    "W_regularizer": "kernel_regularizer",
}
"""Names of arguments in Keras 1, which many tutorials still use."""

_ARITHMETIC = re.compile(r"[\d.]+(?:\s*(?:\*\*|//|[-+*/%])\s*[\d.]+)+")
_PLAIN = re.compile(r"[A-Za-z][\w .-]*")
"""Text that YAML reads as text without quotes."""

_ITEMS = ("layer", "operation")
_NOUNS = {"int": "an integer", "float": "a number", "bool": "true or false", "str": "a string"}
_NOUNS |= {"list": "a list"}


def check_object(catalog: Catalog, family: Family, value: Any, route: Route) -> list[Diagnostic]:
    """One Keras object: its name, or a one-key mapping from its name to its arguments."""
    return list(_object(catalog, family, value, route, nested=False))


def check_arguments(
    catalog: Catalog, entry: Entry, arguments: Mapping[Any, Any], route: Route
) -> list[Diagnostic]:
    """The arguments of a known object; the route is that of the whole mapping."""
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
            inside = _named_inside(catalog, family, {name: arguments})
            yield replace(problem, hint=inside) if inside else problem
    elif entry.refused:
        message = f"{name} cannot be used in a spec: {entry.refused}"
        hint = f"operations on tensors are items: {EXAMPLES}" if name == "Lambda" else None
        yield Diagnostic("refused-object", message, route, anchor, hint=hint)
    elif arguments is not None and not isinstance(arguments, Mapping):
        message = f"write the arguments of {name} as a mapping, argument: value"
        yield Diagnostic("not-an-object", message, route, hint=_as_mapping(entry, arguments))
    else:
        yield from _arguments(catalog, entry, arguments or {}, route, nested=nested, anchor=anchor)


def _not_an_object(catalog: Catalog, family: Family, value: Any, route: Route) -> Diagnostic:
    anchor: Anchor = "value"
    if isinstance(value, Mapping) and len(value) == 1:
        route, anchor = (*route, _key(next(iter(value)))), "key"
    message = f"{_a(family)} is written as its name, or as one key: its name, with its arguments"
    hint = _named_inside(catalog, family, value) if isinstance(value, Mapping) else None
    return Diagnostic("not-an-object", message, route, anchor, hint=hint)


def _named_inside(catalog: Catalog, family: Family, value: Mapping[Any, Any]) -> str | None:
    """A hint for ``{type: Dense, units: 3}``, where the name should be the key."""
    for key in _KEYS_OF_NAMES & value.keys():
        entry = catalog.find(family, value[key]) if isinstance(value[key], str) else None
        if entry is not None:
            rest = ", ".join(f"{name}: …" for name in value if name != key)
            arguments = f": {{{rest}}}" if rest else ""
            return f"its name is the key: {value[key]}{arguments}"
    return None


def _as_mapping(entry: Entry, written_value: Any) -> str | None:
    """The arguments written by position, with the names of the arguments that take it."""
    values = written_value if isinstance(written_value, list) else [written_value]
    tensors = entry.call_arguments if entry.family == "operation" else ()
    arguments = [argument for argument in entry.arguments.values() if argument.name not in tensors]
    if not values or len(values) > len(arguments) or any(map(_is_nested, values)):
        return None
    pairs = list(zip(arguments, values, strict=False))
    if not all(_fits(argument.kinds, _kind(value)) for argument, value in pairs):
        required = [argument.name for argument in arguments if argument.required]
        return f"{entry.name}: {{{required[0]}: ...}}" if len(required) == 1 else None
    written = ", ".join(f"{argument.name}: {_as_yaml(value)}" for argument, value in pairs)
    return f"{entry.name}: {{{written}}}"


def _is_nested(value: Any) -> bool:
    return not isinstance(value, bool | int | float | str)


def _as_yaml(value: Any) -> str:
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else short(value).strip("'")


def _unknown(
    catalog: Catalog, family: Family, name: str, route: Route, anchor: Anchor
) -> Diagnostic:
    message = f"Keras has no {family} named {name}"
    hint = _right_name(catalog, family, name)
    return Diagnostic(f"unknown-{family}", message, route, anchor, hint=hint)


def _right_name(catalog: Catalog, family: Family, name: str) -> str | None:
    known = catalog.known(family)
    last = name.rpartition(".")[2]
    same = [spelling for spelling in known if _folded(spelling) == _folded(last)]
    others = [other for other in FAMILIES if other != family and name in catalog.known(other)]
    if family in ("layer", "activation") and not same and not others:
        hint = hint_for(name, catalog.names("operation"))
        if hint:
            return hint
    if family == "operation" and (operation := operation_named(name, catalog.names("operation"))):
        return offer(operation)
    hints = [f"{name} is {_a(others[0])}"] if others else []
    hints += [f"did you mean {same[0]}?"] if same else []
    return "; ".join(hints) or did_you_mean(name if family == "operation" else last, known)


def _a(family: Family) -> str:
    return f"{'an' if family[0] in 'aio' else 'a'} {family}"


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


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
    hints = {name: _right_argument(catalog, entry, name) for name in unknown}
    meant = {_meant(entry, name) for name in unknown}
    for argument in entry.arguments.values():
        # A mistyped name is one mistake, not two.
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
    if entry.family == "layer" and name in _BESIDE and not nested:
        return False
    if name == "name" and entry.family == "operation":
        return False
    return name in entry.arguments or (entry.extra and isinstance(name, str))


def _right_argument(catalog: Catalog, entry: Entry, name: Any) -> str | None:
    if entry.family in _ITEMS and name in _BESIDE:
        return f"write {name} beside {entry.name}, as a key of the layer"
    if entry.function:
        classes = [
            class_name
            for class_name in catalog.names(entry.family)
            if _is_class_of(entry, class_name)
        ]
        return f"{entry.name} takes no arguments" + "".join(
            f"; {class_name} does" for class_name in classes
        )
    if name in _MOVED:
        return _MOVED[name]
    near = _meant(entry, name)
    if near is None and name in entry.call_arguments:
        return (
            f"{name} is an argument of the call: write it under `call` or `from`, beside the layer"
        )
    return offer(near) if near else None


def _meant(entry: Entry, name: Any) -> str | None:
    """The argument that an unknown name stands for: its new name, or the nearest."""
    if (entry.family in _ITEMS and name in _BESIDE) or entry.function or name in _MOVED:
        return None
    if _RENAMED.get(name) in entry.arguments:
        return _RENAMED[name]
    return None if name in entry.call_arguments else nearest(str(name), entry.arguments)


def _is_class_of(function: Entry, name: str) -> bool:
    return name != function.name and _folded(name) == _folded(function.name)


def _anything(name: str) -> Argument:
    return Argument(name, False, None, frozenset(), None, False, (), "")


def _value(
    catalog: Catalog, entry: Entry, argument: Argument, value: Any, route: Route
) -> Iterator[Diagnostic]:
    if value is None:
        if argument.required and argument.kinds:
            yield _wrong_type(entry, argument, "null", route)
    elif argument.family:
        yield from _objects(catalog, entry, argument, value, route)
    else:
        yield from _plain(entry, argument, value, route)


def _objects(
    catalog: Catalog, entry: Entry, argument: Argument, value: Any, route: Route
) -> Iterator[Diagnostic]:
    family = argument.family
    if family is None or ("float" in argument.kinds and _kind(value) in {"int", "float"}):
        return
    if "float" in argument.kinds and _is_number(value):
        yield _wrong_type(entry, argument, f"the string {value!r}", route)
    elif isinstance(value, list) and argument.many:
        for index, member in enumerate(value):
            yield from _object(catalog, family, member, (*route, index), nested=True)
    elif "object" not in argument.kinds:
        message = f"{argument.name} of {entry.name} takes a list of {family}s"
        yield Diagnostic("wrong-type", message, route)
    else:
        yield from _object(catalog, family, value, route, nested=True)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, str) and float(value) is not None
    except ValueError:
        return False


def _plain(entry: Entry, argument: Argument, value: Any, route: Route) -> Iterator[Diagnostic]:
    mappings = list(_mappings(value, route))
    for place in mappings:
        message = f"{argument.name} of {entry.name} takes plain values, not a mapping"
        yield Diagnostic("wrong-type", message, place)
    refused = list(_paths(entry, argument, value, route))
    yield from refused
    if mappings or refused:
        return
    if not _fits(argument.kinds, _kind(value)):
        yield _wrong_type(entry, argument, _shown(value), route)
    elif isinstance(value, str) and argument.choices and value.lower() not in argument.choices:
        message = f"{argument.name} of {entry.name} is one of {', '.join(argument.choices)}"
        hint = did_you_mean(value, argument.choices)
        yield Diagnostic("wrong-value", f"{message}, not {value}", route, hint=hint)
    elif isinstance(value, list):
        yield from _members(entry, argument, value, route)


def _paths(entry: Entry, argument: Argument, value: Any, route: Route) -> Iterator[Diagnostic]:
    if isinstance(value, list | tuple) and paths.writes_file(entry, argument):
        for index, path in enumerate(value):
            yield from _paths(entry, argument, path, (*route, index))
    elif not isinstance(value, str):
        return
    elif paths.reads_file(entry, argument):
        message = f"{argument.name} of {entry.name} cannot come from a file"
        hint = f"write the values here, as a list: {argument.name}: [...]"
        yield Diagnostic("refused-path", message, route, hint=hint)
    elif paths.writes_file(entry, argument) and paths.escapes(value):
        message = f"{argument.name} of {entry.name} leads outside the run's folder: {value}"
        hint = "write a relative path without .., ~ or a URL scheme"
        yield Diagnostic("refused-path", message, route, hint=hint)
    elif paths.writes_file(entry, argument) and paths.is_taken(value):
        message = f"{argument.name} of {entry.name} is a file of the run itself: {value}"
        yield Diagnostic("refused-path", message, route, hint="use another name")


def _mappings(value: Any, route: Route) -> Iterator[Route]:
    if isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _mappings(member, (*route, index))
    elif value is not None and not isinstance(value, bool | int | float | str):
        yield route


def _members(
    entry: Entry, argument: Argument, values: list[Any], route: Route
) -> Iterator[Diagnostic]:
    """A string in a list of numbers; Keras says too little about lists to check more."""
    if "str" in argument.kinds or not argument.kinds & {"int", "float"}:
        return
    for index, member in enumerate(values):
        if isinstance(member, str):
            message = f"{argument.name} of {entry.name} takes numbers, not {_shown(member)}"
            yield Diagnostic("wrong-type", message, (*route, index))


def _fits(kinds: frozenset[str], kind: str) -> bool:
    return not kinds or kind in kinds or (kind == "int" and "float" in kinds)


def _kind(value: Any) -> str:
    return {bool: "bool", int: "int", float: "float", str: "str"}.get(type(value), "list")


def _wrong_type(entry: Entry, argument: Argument, shown: str, route: Route) -> Diagnostic:
    nouns = [noun for kind, noun in _NOUNS.items() if kind in argument.kinds]
    wanted = " or ".join(nouns) if nouns else "a value of another type"
    if entry.family == "operation" and argument.name in entry.call_arguments:
        message = f"{argument.name} of {entry.name} is a number or a list of numbers, not {shown}"
        return Diagnostic("wrong-type", message, route, hint="name a tensor under from")
    message = f"{argument.name} of {entry.name} takes {wanted}, not {shown}"
    return Diagnostic("wrong-type", message, route, hint=_as_number(argument, shown))


def _as_number(argument: Argument, shown: str) -> str | None:
    """How a number is written that was written as a text: ``1/255``, ``"64"``."""
    text = shown.removeprefix("the string ").strip("'")
    if not argument.kinds & {"int", "float"} or text == shown:
        return None
    if _is_number(text):
        return f"write {text}, without quotes"
    return f"write ${{{text}}}, which is computed" if _ARITHMETIC.fullmatch(text) else None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "a list" if _kind(value) == "list" else repr(value)


def _key(name: Any) -> str | int:
    return name if isinstance(name, str | int) else str(name)

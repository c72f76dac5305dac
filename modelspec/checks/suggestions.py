"""Hints for wrong names and forms of Keras objects: the name that was probably meant."""

import re
from collections.abc import Collection, Iterable, Mapping
from reprlib import repr as short
from typing import Any

from modelspec.catalog import FAMILIES, Catalog, Entry, Family
from modelspec.catalog.entries import OPERATION_PREFIX
from modelspec.catalog.operation_facts import plain_name
from modelspec.checks.not_layers import hint_for, operation_named
from modelspec.checks.other_names import MEANT
from modelspec.checks.plain_values import FROM_ARRAY, fits, kind_of
from modelspec.problems.diagnostic import nearest, offer

_KEYS_OF_NAMES = {"type", "name", "class_name", "class", "layer"}
"""Keys under which other tools store the name of an object."""


BESIDE = ("name", "trainable", "dtype", "adapt")
"""Keys of a layer item that Keras takes as arguments of the layer."""


_MOVED = {
    **dict.fromkeys(
        ("input_shape", "batch_input_shape", "batch_shape", "input_dim", "input_length"),
        "shapes are written under `inputs`",
    ),
    "decay": "Keras ignores it; use a schedule as the learning_rate",
    "weights": FROM_ARRAY,
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


_PLAIN = re.compile(r"[A-Za-z][\w .-]*")
"""Text that needs no quotes in YAML."""


_FIRST_NAME = re.compile(r"(?:ops\.)?[\w.]*\w")
_RANKED = re.compile(r"(\w+)[123]D(\w*)")

_ITEMS = ("layer", "operation")


def named_inside(catalog: Catalog, family: Family, value: Mapping[Any, Any]) -> str | None:
    """Return a hint for ``{type: Dense, units: 3}``, where the name should be the key."""
    for key in _KEYS_OF_NAMES & value.keys():
        entry = catalog.find(family, value[key]) if isinstance(value[key], str) else None
        if entry is not None:
            rest = ", ".join(f"{name}: …" for name in value if name != key)
            arguments = f": {{{rest}}}" if rest else ""
            return f"its name is the key: {value[key]}{arguments}"
    return None


def as_mapping(entry: Entry, written_value: Any) -> str | None:
    """Write arguments that have no names with the names of the parameters in their positions."""
    values = written_value if isinstance(written_value, list) else [written_value]
    tensors = entry.call_arguments if entry.family == "operation" else ()
    arguments = [argument for argument in entry.arguments.values() if argument.name not in tensors]
    if not values or len(values) > len(arguments) or any(map(_is_nested, values)):
        return None
    pairs = list(zip(arguments, values, strict=False))
    if not all(fits(argument.kinds, kind_of(value)) for argument, value in pairs):
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


def right_name(catalog: Catalog, family: Family, name: str) -> str | None:
    """Return a hint for an unknown name of an object, if there is one."""
    known = catalog.known(family)
    last = name.rpartition(".")[2]
    same = [spelling for spelling in known if _folded(spelling) == _folded(last)]
    others = [other for other in FAMILIES if other != family and name in catalog.known(other)]
    elsewhere = None if same or others else _named_elsewhere(catalog, family, name)
    if elsewhere:
        return elsewhere
    hints = [f"{name} is {with_article(others[0])}"] if others else []
    hints += [f"did you mean {same[0]}?"] if same else []
    return "; ".join(hints) or _nearest_of_family(family, name, known)


def _named_elsewhere(catalog: Catalog, family: Family, name: str) -> str | None:
    """Return a hint for a name of another library, or of an operation."""
    meant = MEANT.get(family, {}).get(_folded(name.removeprefix(OPERATION_PREFIX)))
    if meant is None:
        meant = MEANT.get(family, {}).get(_folded(name.rpartition(".")[2]))
    if meant:
        return _written_hint(meant, catalog.known(family), catalog.known("operation"))
    operations = catalog.names("operation")
    if family in ("layer", "activation") and (hint := hint_for(name, operations)):
        return hint
    operation = operation_named(name, operations) if family == "operation" else None
    return offer(operation) if operation else None


def _written_hint(meant: str, *known: Collection[str]) -> str:
    """Return a hint with a name of Keras, with more words after it, or of other words."""
    first = _FIRST_NAME.match(meant)
    if first is None or not any(first[0] in names for names in known):
        return meant
    return offer(meant) if first[0] == meant else f"write {meant}"


def _nearest_of_family(family: Family, name: str, known: Iterable[str]) -> str | None:
    """Offer the nearest name; of names that only differ in their number of axes, all of them."""
    if family == "operation":
        near = nearest(plain_name(name), map(plain_name, known))
        return offer(OPERATION_PREFIX + near) if near else None
    last, known = name.rpartition(".")[2], list(known)
    near = nearest(last, known)
    ranked = _RANKED.fullmatch(near or "")
    if ranked and not any(character.isdigit() for character in last):
        start, end = ranked.groups()
        ranks = [f"{start}{n}D{end}" for n in "123" if f"{start}{n}D{end}" in known]
        if len(ranks) > 1:
            return offer(f"{', '.join(ranks[:-1])} or {ranks[-1]}")
    return offer(near) if near else None


def with_article(family: Family) -> str:
    return f"{'an' if family[0] in 'aio' else 'a'} {family}"


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def right_argument(catalog: Catalog, entry: Entry, name: Any) -> str | None:
    """Return a hint for an unknown argument of an object, if there is one."""
    if entry.family in _ITEMS and name in BESIDE:
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
    near = meant_argument(entry, name)
    if near is None and name in entry.call_arguments:
        return (
            f"{name} is an argument of the call: write it under `call` or `from`, beside the layer"
        )
    return offer(near) if near else None


def meant_argument(entry: Entry, name: Any) -> str | None:
    """Return the argument that an unknown name means: its new name, or the nearest."""
    if (entry.family in _ITEMS and name in BESIDE) or entry.function or name in _MOVED:
        return None
    if _RENAMED.get(name) in entry.arguments:
        return _RENAMED[name]
    return None if name in entry.call_arguments else nearest(str(name), entry.arguments)


def _is_class_of(function: Entry, name: str) -> bool:
    return name != function.name and _folded(name) == _folded(function.name)

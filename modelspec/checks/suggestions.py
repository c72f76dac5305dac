"""Hints for wrong names and forms of Keras objects: the name that was probably meant."""

import re
from collections.abc import Mapping
from reprlib import repr as short
from typing import Any

from modelspec.catalog import FAMILIES, Catalog, Entry, Family
from modelspec.checks.not_layers import hint_for, operation_named
from modelspec.checks.plain_values import FROM_ARRAY, fits, kind_of
from modelspec.problems.diagnostic import did_you_mean, nearest, offer

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
    if family in ("layer", "activation") and not same and not others:
        hint = hint_for(name, catalog.names("operation"))
        if hint:
            return hint
    if family == "operation" and (operation := operation_named(name, catalog.names("operation"))):
        return offer(operation)
    hints = [f"{name} is {with_article(others[0])}"] if others else []
    hints += [f"did you mean {same[0]}?"] if same else []
    return "; ".join(hints) or did_you_mean(name if family == "operation" else last, known)


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

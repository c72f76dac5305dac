"""``from``: the names of an item's inputs, with their places."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelspec.problems.diagnostic import UNKNOWN, Route


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in a ``from``, and the place where it is written."""

    name: str
    route: Route


References = Mapping[str | None, Reference | tuple[Reference, ...]]
"""Call arguments and the names of their sources; None is the first positional argument."""


def references_of(value: Any, route: Route) -> References | None:
    """Return the references in a computed ``from``; None where it contains something else."""
    by_argument = value if isinstance(value, dict) else {None: value}
    if not by_argument or not all(map(_is_one_or_many, by_argument.values())):
        return None
    return {
        key: _references(names, route if key is None else (*route, key))
        for key, names in by_argument.items()
    }


def each_of(value: Reference | tuple[Reference, ...]) -> tuple[Reference, ...]:
    return value if isinstance(value, tuple) else (value,)


def holds_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(holds_unknown, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_unknown, value))
    return value is UNKNOWN


def _is_one_or_many(value: Any) -> bool:
    names = value if isinstance(value, list | tuple) else [value]
    return bool(names) and all(isinstance(name, str) for name in names)


def _references(value: Any, route: Route) -> Reference | tuple[Reference, ...]:
    if isinstance(value, list | tuple):
        return tuple(Reference(name, (*route, k)) for k, name in enumerate(value))
    return Reference(value, route)

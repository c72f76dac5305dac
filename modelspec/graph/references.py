"""``from``: the names that an item is called on, each with its place."""

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
"""Call arguments and the names that they are given; None is the first positional argument."""


def references_of(given: Any, route: Route) -> References | None:
    """The references in a ``from`` whose expressions are computed; None where it is no names."""
    by_argument = given if isinstance(given, dict) else {None: given}
    if not by_argument or not all(map(_is_one_or_many, by_argument.values())):
        return None
    return {
        key: _references(names, route if key is None else (*route, key))
        for key, names in by_argument.items()
    }


def each_of(given: Reference | tuple[Reference, ...]) -> tuple[Reference, ...]:
    return given if isinstance(given, tuple) else (given,)


def holds_unknown(given: Any) -> bool:
    if isinstance(given, dict):
        return any(map(holds_unknown, given.values()))
    if isinstance(given, list | tuple):
        return any(map(holds_unknown, given))
    return given is UNKNOWN


def _is_one_or_many(given: Any) -> bool:
    names = given if isinstance(given, list | tuple) else [given]
    return bool(names) and all(isinstance(name, str) for name in names)


def _references(given: Any, route: Route) -> Reference | tuple[Reference, ...]:
    if isinstance(given, list | tuple):
        return tuple(Reference(name, (*route, k)) for k, name in enumerate(given))
    return Reference(given, route)

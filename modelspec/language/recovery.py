"""A spec with wrong keys or types, changed until it is valid, so that its other parts are checked.

The replacement of a mistake is never used: the mistake is reported, and parts that depend on it are
not checked further.
"""

import copy
from collections.abc import Sequence
from typing import Any

from modelspec.problems.diagnostic import Diagnostic, Route

MAX_MISTAKES = 100
"""The most mistakes that are repaired; a user with more corrects those first."""

_LISTS = {"inputs", "callbacks", "as"}
"""Keys whose value may be meant as a list of one."""

_DEFAULTS: dict[Route, Any] = {("modelspec",): 1}

_FOLLOWING = frozenset(
    {
        *("unknown-name", "unknown-output", "duplicate-name", "missing-from", "cycle"),
        *("unused-layer", "unused-input", "block-inputs", "wrong-results", "several-results"),
        *("one-for-several", "wrong-length", "unknown-monitor", "bad-expression"),
        *("no-shared-layers", "output-without-loss", "missing-argument"),
    }
)
"""Codes of problems that can follow from a mistake in a key or its type."""

_APART = frozenset({"training", "optimizer", "data", "description"})
"""Keys in which a mistake changes no name of a layer or an output."""


def without_mistakes(data: Any, problems: Sequence[Diagnostic]) -> Any:
    """Copy a spec's data, with each mistake replaced or left out."""
    data = copy.deepcopy(data)
    # Remove the last item of a list first, because routes contain positions.
    for problem in sorted(problems, key=lambda problem: str(problem.route), reverse=True):
        _mend(data, problem)
    return data


def _mend(data: Any, problem: Diagnostic) -> None:
    route = problem.route
    owner = _at(data, route[:-1])
    if not route or owner is None:
        return
    key = route[-1]
    if _is_item(route) or (problem.code == "missing-key" and _is_item(route[:-1])):
        place = route if _is_item(route) else route[:-1]
        _put(data, place, _stand_in(_at(data, place)))
    elif key in _LISTS and isinstance(_at(data, route), str):
        _put(data, route, [_at(data, route)])
    elif route == ("models", key) and isinstance(_at(data, route), str):
        _put(data, route, {"path": _at(data, route)})
    elif route in _DEFAULTS:
        _put(data, route, _DEFAULTS[route])
    elif route[:1] == ("inputs",) and len(route) > 2 and route[2] == "shape":  # noqa: PLR2004
        _put(data, route[:3], [])
    elif route[:1] == ("inputs",) and len(route) == 2:  # noqa: PLR2004 - inputs, name
        _put(data, route, {"shape": []})
    elif isinstance(owner, dict):
        owner.pop(key, None)


def _is_item(route: Route) -> bool:
    """Return True where a route leads to an item of ``layers``."""
    return len(route) > 1 and route[-2] == "layers" and isinstance(route[-1], int)


def _stand_in(item: Any) -> dict[str, Any]:
    """Return a layer that replaces an item with no layer or several; it keeps the item's name."""
    name = item.get("name") if isinstance(item, dict) else None
    return {"Identity": None, "name": name} if isinstance(name, str) else {"Identity": None}


def _at(data: Any, route: Route) -> Any:
    for step in route:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data


def _put(data: Any, route: Route, value: Any) -> None:
    owner = _at(data, route[:-1])
    if isinstance(owner, dict | list):
        owner[route[-1]] = value  # type: ignore[index]


def new_problems(
    mistakes: Sequence[Diagnostic], problems: Sequence[Diagnostic]
) -> list[Diagnostic]:
    """Return the problems of the changed spec that no mistake of the written spec causes."""
    if not mistakes:
        return list(problems)
    apart = all(mistake.route and mistake.route[0] in _APART for mistake in mistakes)
    return [
        problem
        for problem in problems
        if (apart or problem.code not in _FOLLOWING)
        and problem.severity == "error"
        and not any(_touches(mistake.route, problem.route) for mistake in mistakes)
    ]


def _touches(mistake: Route, route: Route) -> bool:
    """Return True where one route contains the other, or both lead into the same item."""
    if mistake[: len(route)] == route or route[: len(mistake)] == mistake:
        return True
    item = next((end for end in range(len(mistake), 1, -1) if _is_item(mistake[:end])), None)
    return item is not None and route[:item] == mistake[:item]

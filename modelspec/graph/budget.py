"""The shared state of one expansion: its problems, and its remaining budget of work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelspec.language.expressions import fill, has_expression, size
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Route

MAX_WORK = 2_000_000


class TooMuchError(Exception):
    """Stops an expansion above the limit, at the outermost item that causes the excess."""

    def __init__(self, code: str, message: str, route: Route, within: tuple[Route, ...]) -> None:
        place = within[0] if within else route
        self.problem = Diagnostic(code, message, place, "key")
        super().__init__(message)


@dataclass
class Budget:
    """Counts the work of an expansion, because a few lines of repeats and blocks can need years.

    ``failed`` contains routes that failed once and are skipped in other repeats or uses of a block.
    """

    problems: list[Diagnostic] = field(default_factory=list)
    failed: set[Route] = field(default_factory=set)
    work: int = MAX_WORK
    plain: dict[int, bool] = field(default_factory=dict)

    def spend(self, work: int, route: Route, within: tuple[Route, ...]) -> None:
        """Take work from the budget.

        Raises:
            TooMuchError: The budget is used up.
        """
        self.work -= work
        if self.work < 0:
            message = "the spec is too large after expanding blocks and repeats"
            raise TooMuchError("too-large", message, route, within)

    def fill(
        self, data: Any, parameters: Mapping[str, Any], route: Route, within: tuple[Route, ...]
    ) -> Any:
        """Compute the expressions in a part of the spec; UNKNOWN where it failed before."""
        self.spend(1, route, within)
        if self._is_plain(data):
            return data
        if route in self.failed:
            return UNKNOWN
        before = len(self.problems)
        filled = fill(data, parameters, route, self.problems)
        if len(self.problems) > before:
            self.failed.add(route)
        self.spend(size(filled, MAX_WORK), route, within)
        return filled

    def _is_plain(self, data: Any) -> bool:
        """Return True where data has no expression, cached by ``id``: the spec keeps data alive."""
        if id(data) not in self.plain:
            self.plain[id(data)] = not _holds_expression(data)
        return self.plain[id(data)]


def _holds_expression(data: Any) -> bool:
    if isinstance(data, dict):
        return any(map(_holds_expression, data.values()))
    if isinstance(data, list | tuple):
        return any(map(_holds_expression, data))
    return has_expression(data)

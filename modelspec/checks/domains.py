"""Operations on inputs that give NaN or infinity for some values, such as the logarithm of 0."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from modelspec.catalog.operation_facts import plain_name
from modelspec.checks.rows import find_row
from modelspec.data.arrays import Values
from modelspec.data.concatenated import Array, Column
from modelspec.graph.graph import Graph
from modelspec.graph.operations import is_operation
from modelspec.problems.diagnostic import Diagnostic


@dataclass(frozen=True, slots=True)
class Domain:
    """The values with a finite result: from ``low`` to ``high``, ``low`` itself with ``closed``."""

    low: float
    high: float = math.inf
    closed: bool = False

    @property
    def words(self) -> str:
        if self.high < math.inf:
            return f"from {self.low:g} to {self.high:g}"
        return f"of {self.low:g} or more" if self.closed else f"above {self.low:g}"

    def lacks(self, rows: Array) -> Array:
        below = rows < self.low if self.closed else rows <= self.low
        outside: Array = below | (rows > self.high)
        return outside


_DOMAINS: Final = {
    **dict.fromkeys(("log", "log2", "log10", "rsqrt"), Domain(0)),
    "log1p": Domain(-1),
    "sqrt": Domain(0, closed=True),
    **dict.fromkeys(("arccos", "arcsin"), Domain(-1, 1, closed=True)),
    "arccosh": Domain(1, closed=True),
}


def check_domains(
    graph: Graph, input_name: str, name: str, array: Column, values: Values
) -> Iterator[Diagnostic]:
    """Warn of values for which an operation on an input gives NaN or infinity.

    ``array`` is the input's, with the name ``name`` in the data and the extremes of ``values``.
    """
    low, high = values.low, values.high
    for node in graph.nodes:
        domain = _DOMAINS.get(plain_name(node.type)) if is_operation(node) else None
        called = any(source.name == input_name for source in node.sources())
        if domain is None or not called or low is None or high is None:
            continue
        row = find_row(array, domain.lacks) if domain.lacks(np.array([low, high])).any() else None
        if row is not None:
            message = (
                f"array {name} holds values from {low:g} to {high:g}, but {node.type} takes values "
                f"{domain.words}: others, first in {row}, become NaN or infinite"
            )
            hint = "write ops.clip or ops.maximum before it, which limits the values"
            yield Diagnostic("not-finite", message, node.route, "key", "warning", hint=hint)

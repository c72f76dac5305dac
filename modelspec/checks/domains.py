"""Operations on inputs that give NaN or infinity for some values, such as the logarithm of 0."""

from collections.abc import Iterator

import numpy as np

from modelspec.checks.result_domains import domain_of
from modelspec.checks.rows import find_row
from modelspec.data.arrays import Values
from modelspec.data.concatenated import Column
from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic


def check_domains(
    graph: Graph, input_name: str, name: str, array: Column, values: Values
) -> Iterator[Diagnostic]:
    """Warn of values for which an operation on an input gives NaN or infinity.

    ``array`` is the input's, with the name ``name`` in the data and the extremes of ``values``.
    """
    low, high = values.low, values.high
    for node in graph.nodes:
        domain = domain_of(node)
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

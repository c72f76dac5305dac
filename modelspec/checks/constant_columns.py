"""Columns with one value, which a Normalization that is fitted to the data cannot scale."""

from collections.abc import Iterator

import numpy as np

from modelspec.data.arrays import row_blocks
from modelspec.data.concatenated import Array, Column
from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic

_BLOCK = 1 << 20
_SHOWN = 5


def check_constant_columns(
    graph: Graph, input_name: str, name: str, array: Column
) -> Iterator[Diagnostic]:
    """Warn of columns with a variance of 0, by which the layer would divide new values.

    Keras divides by 1e-7 then, so a new value that differs becomes very large.
    """
    for node in graph.adapted:
        fed = any(source.name == input_name for source in node.sources())
        if node.type != "Normalization" or not fed or node.arguments.get("axis", -1) != -1:
            continue
        constant = np.flatnonzero(_constant(array))
        if not constant.size:
            continue
        listed = ", ".join(map(str, constant[:_SHOWN])) + (", …" if len(constant) > _SHOWN else "")
        columns = f"column {listed} has" if len(constant) == 1 else f"columns {listed} have"
        message = (
            f"array {name}: {columns} the same value in every row, and {node.name} divides by the "
            "deviation, 0: any other value in new data becomes very large"
        )
        hint = "leave such columns out, or bound the results: ops.clip: {x_min: -5.0, x_max: 5.0}"
        yield Diagnostic("input-scale", message, node.route, "key", "warning", hint=hint)


def _constant(array: Column) -> Array:
    """Return for each index of the last axis whether all its values are equal.

    Reading ends when no such index is left, which is at once in most data.
    """
    first = np.asarray(array[:1])
    if array.ndim < 2 or len(array) < 2 or not first.size:  # noqa: PLR2004 - samples and columns
        return np.zeros(0, np.bool_)
    value = first.reshape(-1, first.shape[-1])[0]
    same = np.ones(len(value), np.bool_)
    for rows in row_blocks(array, _BLOCK):
        flat = rows.reshape(-1, rows.shape[-1])
        same[same] = (flat[:, same] == value[same]).all(axis=0)
        if not same.any():
            break
    return same

"""Entries in the data, checked against lookups that have no id for unknown entries."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from modelspec.checks.rows import find_row
from modelspec.data.concatenated import Array, Column
from modelspec.graph.graph import Graph, Node
from modelspec.problems.diagnostic import Diagnostic

_LOOKUPS = ("StringLookup", "IntegerLookup")


def check_entries(graph: Graph, input_name: str, name: str, array: Column) -> Iterator[Diagnostic]:
    """Report values of the array ``name`` that a lookup without unknown entries does not have.

    The lookup is called on the input ``input_name``; TensorFlow would end the first step.
    """
    for node in strict_lookups(graph, input_name):
        listed, mask = node.arguments["vocabulary"], node.arguments.get("mask_token")
        row = find_row(array, partial(_lacking, _known(listed, mask, array)))
        if row is not None:
            message = (
                f"array {name} holds values, first in {row}, that are not in the vocabulary of "
                f"{node.name}, and num_oov_indices is 0"
            )
            hint = "num_oov_indices: 1 gives them their own id"
            route = (*node.route, node.type, "num_oov_indices")
            yield Diagnostic("id-out-of-range", message, route, hint=hint)


def strict_lookups(graph: Graph, name: str) -> Iterator[Node]:
    """Yield the lookups of an input that have a vocabulary, and no id for other entries."""
    owners = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        owner = owners.get(node.layer, node)
        arguments = owner.arguments
        strict = arguments.get("num_oov_indices") == 0 and not arguments.get("invert")
        direct = any(source.name == name for source in node.sources())
        listed = isinstance(arguments.get("vocabulary"), list) and bool(arguments["vocabulary"])
        if owner.type in _LOOKUPS and direct and strict and listed:
            yield owner


def _known(listed: list[Any], mask: Any, array: Column) -> Array:
    entries = [*listed, *([] if mask is None else [mask])]
    made: Array = np.array([str(entry) for entry in entries])
    return made if array.dtype.kind in "US" else np.array(entries)


def _lacking(known: Array, rows: Array) -> Array:
    return ~np.isin(_plain(rows), known)


def _plain(rows: Array) -> Array:
    return np.char.decode(rows, "utf-8") if rows.dtype.kind == "S" else rows

"""Masks that a call loses before a layer that would use them."""

from collections.abc import Iterator
from typing import Any

import keras

from modelspec.backend.keras_private import mask_of
from modelspec.backend.model.assembled import Assembly
from modelspec.graph.graph import Graph, Node
from modelspec.problems.diagnostic import Diagnostic

_USE_MASKS = frozenset(
    {
        *("RNN", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "GlobalAveragePooling1D"),
        *("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"),
    }
)
"""Layers that leave out the steps that a mask marks."""


def check_masks(graph: Graph, assembly: Assembly) -> Iterator[Diagnostic]:
    """Warn of calls that lose the mask of a sequence before a layer that leaves out its padding.

    Keras says so only in a warning of its own, and the padding counts like other steps.
    """
    owners = {node.name: node for node in graph.nodes}
    losers: dict[str, Node] = {}
    reported: set[str] = set()
    for node in graph.nodes:
        owner = owners.get(node.layer, node)
        taken = [losers[source.name] for source in node.sources() if source.name in losers]
        if owner.type in _USE_MASKS:
            for loser in taken:
                if loser.name not in reported:
                    reported.add(loser.name)
                    yield _problem(loser, node, owner.type)
        elif _loses(node, owner, assembly):
            losers[node.name] = node
        elif taken and not _is_masked(assembly.values.get(node.name)):
            losers[node.name] = taken[0]


def _loses(node: Node, owner: Node, assembly: Assembly) -> bool:
    value = assembly.values.get(node.name)
    sources = [source for source in node.sources() if source.name in assembly.values]
    return (
        value is not None
        and owner.type not in _USE_MASKS
        and any(_is_masked(assembly.values[source.name]) for source in sources)
        and not _is_masked(value)
        and any(len(tensor.shape) > 2 for tensor in keras.tree.flatten(value))  # noqa: PLR2004 - has steps
    )


def _is_masked(value: Any) -> bool:
    return any(mask_of(tensor) is not None for tensor in keras.tree.flatten(value))


def _problem(loser: Node, user: Node, kind: str) -> Diagnostic:
    message = (
        f"{loser.name} ({loser.type}) loses the mask of its sequence, so {user.name} ({kind}) "
        "counts the padding like other steps"
    )
    hint = "use the mask before this layer, or write mask_zero: false"
    return Diagnostic("lost-mask", message, loser.route, "key", severity="warning", hint=hint)

"""Random crops, which return whole images outside of training."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras

from modelspec.backend.model.assembled import Assembly
from modelspec.graph.graph import Graph, Node
from modelspec.problems.diagnostic import Diagnostic

_CROP = "RandomCrop"


def check_crops(
    graph: Graph, assembly: Assembly, assembled: Callable[[Graph], Assembly]
) -> Iterator[Diagnostic]:
    """Report layers that cannot take both the crops of training and the whole images after it.

    ``assembled`` makes the calls of another graph, on symbols.
    """
    crops = [node for node in graph.nodes if node.type == _CROP and _changes(node, assembly)]
    if not crops:
        return
    nodes = tuple(
        replace(node, type="Identity", arguments={}) if node in crops else node
        for node in graph.nodes
    )
    whole = assembled(replace(graph, nodes=nodes))
    broken = {problem.route for problem in whole.problems}
    for node in graph.nodes:
        if node.route in broken or _weights(node, whole) != _weights(node, assembly):
            size = " by ".join(str(crops[0].arguments.get(name)) for name in ("height", "width"))
            message = (
                f"{node.name}: RandomCrop crops to {size} only in training, but this layer cannot "
                "take the whole images of evaluation"
            )
            hint = "use CenterCrop or Resizing, which act in evaluation too; or pool globally first"
            yield Diagnostic("shape-mismatch", message, node.route, "key", hint=hint)
            return


def _changes(node: Node, assembly: Assembly) -> bool:
    """Return True where the crops have another size than the images."""
    return any(
        assembly.shape(source) != tuple(tensor.shape)
        for source in node.sources()
        for tensor in keras.tree.flatten(assembly.values[node.name])
    )


def _weights(node: Node, assembly: Assembly) -> list[tuple[Any, ...]]:
    layer = assembly.layers.get(node.layer)
    return [tuple(weight.shape) for weight in getattr(layer, "weights", ())]

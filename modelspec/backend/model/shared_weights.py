"""Outputs whose losses a strategy compares by their gradients at one layer."""

from collections.abc import Iterator, Sequence

from modelspec.backend.model.assembled import Assembly
from modelspec.graph.graph import Graph
from modelspec.graph.shared_layers import outputs_of_layers
from modelspec.problems.diagnostic import Diagnostic


def check_shared_weights(
    graph: Graph, assembly: Assembly, outputs: Sequence[str]
) -> Iterator[Diagnostic]:
    """Report ``outputs`` that share no layer with trained weights."""
    if not outputs or not graph.outputs.keys() >= set(outputs):
        return
    served = outputs_of_layers(graph, outputs)
    if not any(
        names.issuperset(outputs) and getattr(assembly.layers.get(layer), "trainable_weights", None)
        for layer, names in served.items()
    ):
        yield no_shared_weights(outputs)


def no_shared_weights(outputs: Sequence[str]) -> Diagnostic:
    message = f"gradnorm needs a layer with trained weights that {', '.join(outputs)} share"
    hint = "uncertainty and equal_contribution do not need one"
    return Diagnostic("no-shared-layers", message, ("loss_weights",), "key", hint=hint)

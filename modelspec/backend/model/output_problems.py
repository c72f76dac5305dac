"""Outputs that a model cannot have."""

from modelspec.backend.model.assembled import Assembly
from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic


def check_outputs(graph: Graph, assembly: Assembly) -> list[Diagnostic]:
    """Return the problems of the calls; if there are none, those of the outputs."""
    return assembly.problems or [*_several_tensors(graph, assembly), *_lost_batch(graph, assembly)]


def _lost_batch(graph: Graph, assembly: Assembly) -> list[Diagnostic]:
    """Report outputs whose rows are not those of the inputs: the batch was reduced or moved.

    Such outputs cannot be trained, and their values belong to no sample.
    """
    return [
        Diagnostic(
            "lost-batch",
            f"output {name} has the shape {shape}, whose first axis is not the batch",
            source.route,
            hint="axis 0 is the batch: the axes of a sample begin with 1, as in axis: 1",
        )
        for name, source in graph.outputs.items()
        if (shape := assembly.shape(source)) is not None and shape[:1] != (None,)
    ]


def _several_tensors(graph: Graph, assembly: Assembly) -> list[Diagnostic]:
    return [
        Diagnostic(
            "several-results",
            f"{name} refers to several tensors",
            source.route,
            hint="name the results of its layer with as, and use one of these names",
        )
        for name, source in graph.outputs.items()
        if source.name in assembly.values and assembly.shape(source) is None
    ]

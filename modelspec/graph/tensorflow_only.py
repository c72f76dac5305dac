"""Graphs that need TensorFlow for checks: JAX would refuse them or change their dtypes."""

from modelspec.catalog.tensorflow_only import needs_tensorflow
from modelspec.graph.graph import Graph

_WIDE = ("64", "string")


def requires_tensorflow(graph: Graph, precision: str) -> bool:
    """Return True where a graph has layers or dtypes that JAX does not offer.

    In other precisions than float32, JAX computes what TensorFlow refuses, such as the metrics
    ``TopKCategoricalAccuracy`` and ``SparseTopKCategoricalAccuracy``.
    """
    wide = any(tensor.dtype.endswith(_WIDE) for tensor in graph.inputs.values())
    # A node without inputs has an error, and is not called.
    special = any(
        needs_tensorflow({node.type: node.arguments}) for node in graph.nodes if node.inputs
    )
    inside = any(model.needs_tensorflow for model in graph.models.values())
    typed = any(node.options.get("dtype", "float32") != "float32" for node in graph.nodes)
    return wide or special or inside or typed or precision != "float32"

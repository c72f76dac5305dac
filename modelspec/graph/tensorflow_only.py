"""Graphs that only TensorFlow can judge: a light start on JAX would refuse or change them."""

from modelspec.catalog.tensorflow_only import needs_tensorflow
from modelspec.graph.graph import Graph

_WIDE = ("64", "string")


def requires_tensorflow(graph: Graph, precision: str) -> bool:
    """Whether a graph has layers that JAX does not offer, or dtypes that it does not have."""
    wide = any(tensor.dtype.endswith(_WIDE) for tensor in graph.inputs.values())
    # A node without inputs has an error, and is not called.
    special = any(
        needs_tensorflow({node.type: node.arguments}) for node in graph.nodes if node.inputs
    )
    return wide or special or precision.endswith(_WIDE)

"""Layers whose own dtype truncates floats to integers, which Keras does without a message."""

from collections.abc import Iterator

import keras

from modelspec.backend.model.assembled import Assembly
from modelspec.backend.model.call_problems import own_dtype
from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic


def check_conversions(graph: Graph, assembly: Assembly) -> Iterator[Diagnostic]:
    """Warn of each layer with ``dtype`` that truncates the floats of its inputs to integers."""
    for node in graph.nodes:
        layer = assembly.layers.get(node.layer)
        if "dtype" not in node.options or getattr(layer, "trainable_weights", None):
            continue
        names = [source.name for source in node.sources()]
        tensors = keras.tree.flatten([assembly.values[name] for name in names])
        dtypes = {keras.backend.standardize_dtype(tensor.dtype) for tensor in tensors}
        if own := own_dtype(layer, dtypes):
            message = (
                f"{node.name}: dtype: {own} truncates the floats of {names[0]} to integers, which "
                "have no gradient"
            )
            hint = f"remove dtype; to convert on purpose, write ops.cast: {{dtype: {own}}}"
            route = (*node.route, "dtype")
            yield Diagnostic("wrong-dtype", message, route, severity="warning", hint=hint)

"""Layers that take floats, checked against inputs that are declared as integers or booleans.

Keras converts floats to the dtype of a layer, but not integers, and TensorFlow refuses them in the
first step.
"""

from collections.abc import Iterator

from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic, Related

_RANKS = ("1D", "2D", "3D")
_TAKE_FLOATS = frozenset(
    {
        *(f"{kind}Conv{rank}" for kind in ("", "Depthwise", "Separable") for rank in _RANKS),
        *(f"Conv{rank}Transpose" for rank in _RANKS),
        *(f"{kind}{rank}" for kind in ("ConvLSTM", "AveragePooling") for rank in _RANKS),
        *("Dropout", "GaussianNoise", "UnitNormalization", "Softmax", "ELU", "PReLU"),
        *("Attention", "RandomContrast"),
    }
)
"""Layers of Keras 3.15 that fail on integers; others convert them, or compute with them."""

_KEEP = frozenset(
    {"Identity", "Reshape", "Flatten", "Permute", "RepeatVector"}
    | {f"{kind}{rank}" for kind in ("Cropping", "ZeroPadding", "MaxPooling") for rank in _RANKS}
)
"""Layers whose result has the dtype of what they are called on."""


def check_integers(graph: Graph, catalog: Catalog) -> Iterator[Diagnostic]:
    """Report integers for a layer that takes floats."""
    origins = {
        name: name
        for name, entry in graph.inputs.items()
        if entry.dtype == "bool" or "int" in entry.dtype
    }
    owners = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        owner = owners.get(node.layer, node)
        source = next((tensor for tensor in node.sources() if tensor.name in origins), None)
        if source is None or source.index is not None:
            continue
        entry = catalog.find("layer", owner.type)
        if owner.type in _KEEP:
            origins[node.name] = origins[source.name]
        elif owner.type in _TAKE_FLOATS and entry is not None and entry.plugin is None:
            declared = graph.inputs[origins[source.name]]
            message = f"{node.type} takes floats, and {declared.name} has {declared.dtype}"
            hint = (
                f"leave out the dtype of {declared.name}: the data is converted to float32; "
                "or begin with a Rescaling"
            )
            related = (Related(f"{declared.name} is declared here", declared.route),)
            yield Diagnostic("wrong-dtype", message, node.route, "key", hint=hint, related=related)

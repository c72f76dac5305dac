"""Calls that take floats or numbers, checked against inputs of integers or booleans.

Keras converts floats to the dtype of a layer, but not integers, and TensorFlow refuses them in the
first step. Tensors whose dtype depends on other calls are checked with the shapes.
"""

from collections.abc import Iterator

from modelspec.catalog import Catalog
from modelspec.catalog.dtype_facts import wanted_kind
from modelspec.catalog.entries import item_family
from modelspec.graph.graph import Graph, Input, Node
from modelspec.graph.operations import has_tensor_constant
from modelspec.problems.diagnostic import Diagnostic, Related

_KEEP = frozenset(
    {"Identity", "Reshape", "Flatten", "Permute", "RepeatVector"}
    | {
        f"{kind}{rank}"
        for kind in ("Cropping", "ZeroPadding", "MaxPooling")
        for rank in ("1D", "2D", "3D")
    }
)
"""Layers whose result has the dtype of what they are called on."""


def check_integers(graph: Graph, catalog: Catalog) -> Iterator[Diagnostic]:
    """Report integers and booleans for a layer or an operation that does not take them."""
    origins = {
        name: entry
        for name, entry in graph.inputs.items()
        if entry.dtype == "bool" or "int" in entry.dtype
    }
    owners = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        owner = owners.get(node.layer, node)
        sources = list(node.sources())
        if not sources or any(
            source.name not in origins or source.index is not None for source in sources
        ):
            continue
        entry = catalog.find(item_family(owner.type), owner.type)
        if entry is None or entry.plugin is not None or has_tensor_constant(owner, entry):
            continue
        declared = origins[sources[0].name]
        dtypes = {origins[source.name].dtype for source in sources}
        wanted = wanted_kind(owner.type, owner.arguments.get("activation"), dtypes)
        if wanted is not None:
            yield _problem(node, declared, wanted)
        elif owner.type in _KEEP:
            origins[node.name] = declared


def _problem(node: Node, declared: Input, wanted: str) -> Diagnostic:
    message = f"{node.type} takes {wanted}, but {declared.name} has {declared.dtype}"
    hint = (
        f"leave out the dtype of {declared.name}: the data is converted to float32; "
        "or begin with a Rescaling"
    )
    related = (Related(f"{declared.name} is declared here", declared.route),)
    return Diagnostic("wrong-dtype", message, node.route, "key", hint=hint, related=related)

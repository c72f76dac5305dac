"""Layers that take text or numbers, checked against the dtypes of the inputs.

Keras computes the shapes of text like those of numbers, and TensorFlow refuses the dtype in the
first step.
"""

from collections.abc import Iterator
from typing import Literal

from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph, Node, Source
from modelspec.graph.operations import is_operation
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic, Related

_Kind = Literal["text", "numbers"]

_READ_TEXT = frozenset({"TextVectorization", "StringLookup"})
_READ_BOTH = frozenset({"Hashing", "HashedCrossing", "TimeDistributed"})
_KEEP = frozenset(
    {"Identity", "Reshape", "Flatten", "Permute", "RepeatVector", "UpSampling1D", "Activation"}
    | {f"Cropping{rank}D" for rank in (1, 2, 3)}
)
"""Layers that change only the shape of text."""


def check_texts(graph: Graph, catalog: Catalog) -> Iterator[Diagnostic]:
    """Report text for a layer that takes numbers, and numbers for a layer that takes text."""
    kinds: dict[str, _Kind | None] = {
        name: "text" if entry.dtype == "string" else "numbers"
        for name, entry in graph.inputs.items()
    }
    owners = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        owner = owners.get(node.layer, node)
        taken = [source for source in node.sources() if source.index is None]
        wanted = _wanted(owner, graph, catalog)
        if owner.type == "Concatenate":  # takes tensors of one kind
            wanted = next((kind for source in taken if (kind := kinds.get(source.name))), None)
        kinds[node.name] = _result(owner, taken, kinds, wanted)
        wrong = next((source for source in taken if _differs(kinds.get(source.name), wanted)), None)
        if wrong is not None and wanted is not None:
            yield _problem(node, wanted, wrong, graph)


def check_compiled_texts(spec: Spec) -> Iterator[Diagnostic]:
    """Report training that compiles steps which take text: XLA has none."""
    training = spec.training
    texts = [name for name, entry in spec.inputs.items() if entry.dtype == "string"]
    if texts and training.jit is True and training.precompute is False:
        message = f"XLA cannot compile a step that takes text, such as {texts[0]}"
        hint = "leave out precompute, so that texts become numbers before the steps; or jit: auto"
        yield Diagnostic("wrong-value", message, ("training", "jit"), hint=hint)


def _wanted(owner: Node, graph: Graph, catalog: Catalog) -> _Kind | None:
    """Return the kind that a layer takes; None where it takes both, or is unknown."""
    entry = catalog.find("layer", owner.type)
    unknown = entry is None or entry.plugin is not None or entry.is_model or is_operation(owner)
    if unknown or owner.type in graph.models or owner.type in _READ_BOTH | _KEEP:
        return None
    return "text" if owner.type in _READ_TEXT and not owner.arguments.get("invert") else "numbers"


def _result(
    owner: Node, taken: list[Source], kinds: dict[str, _Kind | None], wanted: _Kind | None
) -> _Kind | None:
    if owner.type in _KEEP and len(taken) == 1:
        return kinds.get(taken[0].name)
    if owner.type == "Concatenate":
        return wanted
    if owner.arguments.get("invert") and owner.type == "StringLookup":
        return "text"
    return "numbers" if wanted is not None and not owner.parts else None


def _differs(kind: _Kind | None, wanted: _Kind | None) -> bool:
    return kind is not None and wanted is not None and kind != wanted


def _problem(node: Node, wanted: _Kind, source: Source, graph: Graph) -> Diagnostic:
    declared = graph.inputs.get(source.name)
    dtype = f" ({declared.dtype})" if declared else ""
    other = f"numbers{dtype}" if wanted == "text" else "text"
    message = f"{node.type} takes {wanted}, but {source.name} has {other}"
    if node.type == "Concatenate":
        message = f"Concatenate takes tensors of one dtype: first {wanted}, and then {other}"
    related = (Related(f"{source.name} is declared here", declared.route),) if declared else ()
    hint = _hint(node, wanted, source.name)
    return Diagnostic("wrong-dtype", message, node.route, "key", hint=hint, related=related)


def _hint(node: Node, wanted: _Kind, name: str) -> str:
    if node.type == "Concatenate":
        return "StringLookup, TextVectorization or Hashing turn text into numbers"
    if node.type == "TextVectorization":
        return f"declare {name} with dtype: string; if these are ids, an Embedding looks them up"
    if wanted == "text":
        return f"declare {name} with dtype: string, or use IntegerLookup"
    if node.type == "IntegerLookup":
        return "StringLookup is the layer for text"
    if node.type == "Embedding":
        return "a StringLookup or TextVectorization before it turns text into ids"
    return (
        "StringLookup, TextVectorization or Hashing turn text into numbers; for text that holds "
        "numbers save array.astype('float32'), and leave out dtype: string"
    )

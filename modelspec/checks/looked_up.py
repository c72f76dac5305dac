"""Ids that a layer makes, checked against the layer that looks them up."""

from collections.abc import Hashable, Iterator, Mapping
from types import MappingProxyType

from modelspec.checks.id_feeds import DROPPING, SIZES
from modelspec.graph.graph import Graph, Node
from modelspec.problems.diagnostic import Diagnostic, Related, Severity

_UNKNOWN: Mapping[str, object] = {"StringLookup": "[UNK]", "IntegerLookup": -1}
_SAME_VALUES = frozenset(
    {"Identity", "Reshape", "Flatten", "Permute", "RepeatVector"}
    | {f"ops.{name}" for name in ("cast", "reshape", "squeeze", "expand_dims", "ravel")}
)


def check_looked_up(
    graph: Graph, fitted: Mapping[str, int] = MappingProxyType({})
) -> Iterator[Diagnostic]:
    """Report a layer that looks up ids and has fewer than the layer that makes them.

    ``fitted`` are the numbers of entries of layers that were fitted to data.
    """
    owners = {node.name: node for node in graph.nodes}
    makers: dict[str, tuple[Node, int]] = {}
    counts: dict[Hashable, int | None] = {}
    seen: set[tuple[str, str]] = set()
    for node in graph.nodes:
        owner = owners.get(node.layer, node)
        sources = list(node.sources())
        maker = makers.get(sources[0].name) if len(sources) == 1 else None
        # Repeated layers share their constant arguments, such as a long vocabulary.
        key = owner.type, *((name, id(value)) for name, value in owner.arguments.items())
        if key not in counts:
            counts[key] = _count(owner)
        count = fitted.get(owner.name, counts[key])
        if count is not None:
            makers[node.name] = owner, count
        elif maker is not None and owner.type in _SAME_VALUES:
            makers[node.name] = maker
        elif maker is not None and owner.type in SIZES and (owner.name, maker[0].name) not in seen:
            seen.add((owner.name, maker[0].name))
            yield from _too_few(owner, *maker)


def _count(node: Node) -> int | None:
    """Return the number of ids that a layer makes; None where it makes none, or it is unknown."""
    arguments = node.arguments
    if arguments.get("output_mode", "int") not in ("int", None) or arguments.get("invert"):
        return None
    match node.type:
        case "Hashing" | "HashedCrossing":
            return _whole(arguments.get("num_bins"))
        case "Discretization":
            bounds = arguments.get("bin_boundaries")
            return len(bounds) + 1 if isinstance(bounds, list) else None
        case "TextVectorization":
            words = arguments.get("vocabulary")
            return len({*words} - {"", "[UNK]"}) + 2 if isinstance(words, list) else None
        case "StringLookup" | "IntegerLookup":
            return _entries(node)
    return None


def _entries(node: Node) -> int | None:
    """Return the ids of a lookup with a vocabulary: masked, unknown and known entries."""
    arguments = node.arguments
    listed, unknown = arguments.get("vocabulary"), arguments.get("num_oov_indices", 1)
    if not isinstance(listed, list) or type(unknown) is not int:
        return None
    mask = arguments.get("mask_token")
    own = {str(mask), str(arguments.get("oov_token", _UNKNOWN[node.type]))}
    words = [word for word in listed if str(word) not in own]
    return len(words) + unknown + (mask is not None)


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _too_few(node: Node, maker: Node, count: int) -> Iterator[Diagnostic]:
    argument = SIZES[node.type]
    size = node.arguments.get(argument)
    if type(size) is not int or size >= count:
        return
    message = (
        f"{maker.name} ({maker.type}) gives ids 0..{count - 1}, but {node.type} ({argument} "
        f"{size}) has ids 0..{size - 1}"
    )
    severity: Severity = "warning" if node.type in DROPPING else "error"
    route = (*node.route, node.type, argument)
    hint = f"{argument} must be at least {count}"
    related = (Related(f"{maker.name} is defined here", maker.route),)
    yield Diagnostic(
        "id-out-of-range", message, route, severity=severity, hint=hint, related=related
    )

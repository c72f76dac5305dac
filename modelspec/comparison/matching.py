"""Pairs of nodes of two graphs: by their computation, their name or their place."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from modelspec.comparison.normal import Normal
from modelspec.graph.graph import Graph, Node, Source
from modelspec.graph.naming import snake_case

MAX_ALIGNED = 2_000
"""The limit of nodes that are aligned by their order, which takes quadratic time."""


Form = tuple[str, dict[str, Any]]
"""The real name of a layer, and its written arguments."""


@dataclass(frozen=True)
class Side:
    """A graph with the normal form of each node, and the same key for equal computations."""

    graph: Graph
    nodes: Mapping[str, Node]
    forms: Mapping[str, Form]
    keys: Mapping[str, Hashable]

    @classmethod
    def of(cls, graph: Graph, normal: Normal, numbers: dict[Hashable, int]) -> "Side":
        """Create a side; ``numbers``, shared by both sides, numbers the computations."""
        used = graph.used()
        nodes = {node.name: node for node in graph.nodes if node.name in used}
        forms = {name: normal.node(node) for name, node in nodes.items()}
        keys: dict[str, Hashable] = {
            name: numbers.setdefault(("input", name, entry.shape, entry.dtype), len(numbers))
            for name, entry in graph.inputs.items()
        }
        for name, node in nodes.items():
            key = (forms[name][0], repr(_sorted(forms[name][1])), _wiring(node, keys))
            keys[name] = numbers.setdefault(key, len(numbers))
        return cls(graph, nodes, forms, keys)


def _wiring(node: Node, keys: Mapping[str, Hashable]) -> Hashable:
    def key(source: Source | tuple[Source, ...]) -> Hashable:
        if isinstance(source, tuple):
            return tuple(map(key, source))
        return keys[source.name], source.index

    return tuple(sorted((str(name), key(source)) for name, source in node.inputs.items()))


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return [
            (str(key), _sorted(item))
            for key, item in sorted(value.items(), key=lambda e: str(e[0]))
        ]
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    # True, 1 and 1.0 are equal in Python; 1 and 1.0 are equal in Keras.
    return float(value) if type(value) is int and abs(value) < 2**53 else value


def match(one: Side, other: Side) -> dict[str, str]:
    """Return the nodes of ``other`` by those of ``one``; each at most once.

    Nodes with equal computations are paired first, then those with the same name that a person
    chose, or an output of the same name. Then follow, with equal arguments first and with others
    last, nodes with the same inputs, nodes that the same nodes use, and nodes with the same place
    in the order.
    """
    pairs: dict[str, str] = {}
    _pair_groups(pairs, one, other)
    taken = set(pairs.values())
    for name, node in one.nodes.items():
        if name in other.nodes and name not in pairs and name not in taken and is_chosen(node):
            pairs[name] = name
    _pair_outputs(pairs, one, other)
    for key in (_written, _type):
        alike = Alike(
            {name: key(form) for name, form in one.forms.items()},
            {name: key(form) for name, form in other.forms.items()},
        )
        _grow(pairs, one, other, alike)
        _align(pairs, one, other, alike)
    return pairs


class Alike(NamedTuple):
    """The properties that nodes must share to be paired, by their names on each side."""

    one: Mapping[str, Hashable]
    other: Mapping[str, Hashable]


def _written(form: Form) -> Hashable:
    return form[0], repr(_sorted(form[1]))


def _type(form: Form) -> Hashable:
    return form[0]


def is_chosen(node: Node) -> bool:
    """Return True where a person chose a name: not one in a block, and not Keras's own."""
    base = snake_case(node.type)
    rest = node.name.removeprefix(base)
    generated = node.name.startswith(base) and (not rest or rest.lstrip("_").isdecimal())
    return "." not in node.name and not generated


def _pair_groups(pairs: dict[str, str], one: Side, other: Side) -> None:
    """Pair nodes with equal computations: those with the same name first, then in their order."""
    groups: defaultdict[Hashable, list[str]] = defaultdict(list)
    for name in other.nodes:
        groups[other.keys[name]].append(name)
    left: list[str] = []
    for name in one.nodes:
        candidates = groups.get(one.keys[name], [])
        if name in candidates:
            pairs[name] = name
            candidates.remove(name)
        elif candidates:
            left.append(name)
    for name in left:
        if candidates := groups[one.keys[name]]:
            pairs[name] = candidates.pop(0)


def _pair_outputs(pairs: dict[str, str], one: Side, other: Side) -> None:
    """Pair layers of one class that compute an output of the same name."""
    taken = set(pairs.values())
    for output, source in one.graph.outputs.items():
        if output not in other.graph.outputs:
            continue
        a, b = source.name, other.graph.outputs[output].name
        free = a in one.nodes and a not in pairs and b in other.nodes and b not in taken
        if free and one.forms[a][0] == other.forms[b][0]:
            pairs[a] = b
            taken.add(b)


def _grow(pairs: dict[str, str], one: Side, other: Side, alike: Alike) -> None:
    """Pair similar nodes next to paired ones: those after them, then those before them."""
    size = -1
    while size < len(pairs) < min(len(one.nodes), len(other.nodes)):
        size = len(pairs)
        _grow_after(pairs, one, other, alike)
        _grow_before(pairs, one, other, alike)


def _grow_after(pairs: dict[str, str], one: Side, other: Side, alike: Alike) -> None:
    """Pair similar nodes with the same inputs."""
    taken = set(pairs.values())
    known = {**pairs, **{name: name for name in one.graph.inputs if name in other.graph.inputs}}
    waiting: defaultdict[Hashable, list[str]] = defaultdict(list)
    for name, node in reversed(list(other.nodes.items())):
        if name not in taken:
            waiting[alike.other[name], _called_on(node, None)].append(name)
    for name, node in one.nodes.items():
        if name in pairs or any(source.name not in known for source in node.sources()):
            continue
        if candidates := waiting[alike.one[name], _called_on(node, known)]:
            known[name] = pairs[name] = candidates.pop()


def _called_on(node: Node, names: Mapping[str, str] | None) -> Hashable:
    return tuple(
        (argument, tuple((names[s.name] if names else s.name, s.index) for s in tensors))
        for argument, tensors in sources(node)
    )


def _grow_before(pairs: dict[str, str], one: Side, other: Side, alike: Alike) -> None:
    """Pair similar nodes that are the same argument of paired nodes."""
    taken = set(pairs.values())
    for name in reversed(list(one.nodes)):
        if name not in pairs:
            continue
        passed = dict(sources(other.nodes[pairs[name]]))
        for argument, tensors in sources(one.nodes[name]):
            for ours, theirs in zip(tensors, passed.get(argument, ()), strict=False):
                a, b = ours.name, theirs.name
                free = a in one.nodes and a not in pairs and b in other.nodes and b not in taken
                if free and alike.one[a] == alike.other[b]:
                    pairs[a] = b
                    taken.add(b)


def _align(pairs: dict[str, str], one: Side, other: Side, alike: Alike) -> None:
    """Pair the remaining similar nodes by their place in the order of the calls."""
    taken = set(pairs.values())
    ours = [name for name in one.nodes if name not in pairs]
    theirs = [name for name in other.nodes if name not in taken]
    if not ours or not theirs or max(len(ours), len(theirs)) > MAX_ALIGNED:
        return
    keys = [alike.one[name] for name in ours], [alike.other[name] for name in theirs]
    for block in SequenceMatcher(None, *keys, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            pairs[ours[block.a + offset]] = theirs[block.b + offset]


def shares(nodes: Iterable[Node]) -> dict[str, str]:
    """Return the layer of each node that calls one again, or is called again."""
    layers: defaultdict[str, list[str]] = defaultdict(list)
    for node in nodes:
        layers[node.layer].append(node.name)
    return {name: names[0] for names in layers.values() if len(names) > 1 for name in names}


def sources(node: Node) -> list[tuple[str, Sequence[Source]]]:
    """Return the sources of each call argument; the first positional one has an empty name."""
    return [
        (name or "", source if isinstance(source, tuple) else (source,))
        for name, source in node.inputs.items()
    ]

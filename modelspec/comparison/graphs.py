"""The differences between two graphs, layer by layer."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelspec.catalog import Catalog
from modelspec.comparison.matching import Side, is_chosen, match, shares, sources
from modelspec.comparison.normal import Normal
from modelspec.graph.graph import Graph, Node, Source
from modelspec.results.difference import Change, LayerChange

Line = Callable[[Node], int | None]
_ABSENT = object()


@dataclass(frozen=True)
class Compared:
    """The pairs of nodes and of the names of outputs, and the changes."""

    pairs: Mapping[str, str]
    output_names: Mapping[str, str]
    inputs: tuple[Change, ...]
    layers: tuple[LayerChange, ...]
    outputs: tuple[Change, ...]


@dataclass(frozen=True)
class GraphComparison:
    """Compares ``one`` with ``other``; ``lines`` are the lines of the nodes on each side."""

    catalog: Catalog
    one: Graph
    other: Graph
    lines: tuple[Line, Line]

    def compare(self) -> Compared:
        normal, numbers = Normal(self.catalog), dict[Hashable, int]()
        one, other = Side.of(self.one, normal, numbers), Side.of(self.other, normal, numbers)
        pairs = match(one, other)
        names = self._output_names(pairs)
        return Compared(
            pairs,
            names,
            tuple(changes(_inputs(self.one), _inputs(self.other))),
            _in_order(self._layers(one, other, pairs), one, other, pairs),
            tuple(self._outputs(pairs, names)),
        )

    def _layers(self, one: Side, other: Side, pairs: Mapping[str, str]) -> Iterator[LayerChange]:
        taken = set(pairs.values())
        shared = shares(one.nodes.values()), shares(other.nodes.values())
        for name, node in one.nodes.items():
            if name in pairs:
                yield from self._pair(one, other, (name, pairs[name]), pairs, shared)
            else:
                yield LayerChange(
                    "removed", name, None, one.forms[name][0], None, self.lines[0](node), None
                )
        for name, node in other.nodes.items():
            if name not in taken:
                yield LayerChange(
                    "added", None, name, None, other.forms[name][0], None, self.lines[1](node)
                )

    def _pair(
        self,
        one: Side,
        other: Side,
        pair: tuple[str, str],
        pairs: Mapping[str, str],
        shared: tuple[Mapping[str, str], Mapping[str, str]],
    ) -> Iterator[LayerChange]:
        node, partner = one.nodes[pair[0]], other.nodes[pair[1]]
        kinds = one.forms[pair[0]][0], other.forms[pair[1]][0]
        lines = self.lines[0](node), self.lines[1](partner)
        differing = list(changes(one.forms[pair[0]][1], other.forms[pair[1]][1]))
        if kinds[0] != kinds[1]:
            differing.insert(0, Change("type", *kinds))
        before = shared[0].get(pair[0])
        if pairs.get(before or "", before) != shared[1].get(pair[1]):
            differing.append(Change("share", before, shared[1].get(pair[1])))
        if differing:
            yield LayerChange("changed", *pair, *kinds, *lines, tuple(differing))
        own = _from(node, {})
        wired = tuple(
            Change(change.name, own.get(change.name), change.b)
            for change in changes(_from(node, pairs), _from(partner, {}))
        )
        if wired:
            yield LayerChange("rewired", *pair, *kinds, *lines, wired)
        if pair[0] != pair[1] and is_chosen(node) and is_chosen(partner):
            yield LayerChange("renamed", *pair, *kinds, *lines)

    def _output_names(self, pairs: Mapping[str, str]) -> dict[str, str]:
        """Return the names of outputs on the other side: the same, or those of the same tensors."""
        before, after = self.one.outputs, self.other.outputs
        names = {name: name for name in before if name in after}
        left = {_shown(after[name], {}): name for name in after if name not in names}
        for name, source in before.items():
            if name not in names and (shown := _shown(source, pairs)) in left:
                names[name] = left.pop(shown)
        return names

    def _outputs(self, pairs: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Change]:
        yield from (
            Change("renamed", name, other) for name, other in names.items() if name != other
        )
        before = {
            names.get(name, name): _shown(source, pairs)
            for name, source in self.one.outputs.items()
        }
        after = {name: _shown(source, {}) for name, source in self.other.outputs.items()}
        yield from changes(before, after)
        if before == after and list(before) != list(after) and self.one.form != "mapping":
            yield Change("order", list(before), list(after))


def _in_order(
    changed: Iterator[LayerChange], one: Side, other: Side, pairs: Mapping[str, str]
) -> tuple[LayerChange, ...]:
    """Sort changes in the order of the other side; a removed layer follows its predecessor."""
    places = {name: (place, 0) for place, name in enumerate(other.nodes)}
    last = (-1, 0)
    gone: dict[str, tuple[int, int]] = {}
    for name in one.nodes:
        last = places[pairs[name]] if name in pairs else (last[0], last[1] + 1)
        gone[name] = last
    return tuple(
        sorted(changed, key=lambda change: places[change.b] if change.b else gone[str(change.a)])
    )


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the entries that differ, in the order of both."""
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if a is _ABSENT or b is _ABSENT or not _same(a, b):
            yield Change(name, None if a is _ABSENT else a, None if b is _ABSENT else b)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _inputs(graph: Graph) -> dict[str, Any]:
    return {
        name: {"shape": list(entry.shape), "dtype": entry.dtype}
        for name, entry in graph.inputs.items()
    }


def _from(node: Node, pairs: Mapping[str, str]) -> dict[str, Any]:
    """Return the inputs of a node, in the names of the other side."""
    return {
        f"from {name}".rstrip(): [_shown(source, pairs) for source in tensors]
        for name, tensors in sources(node)
    }


def _shown(source: Source, pairs: Mapping[str, str]) -> str:
    name = pairs.get(source.name, source.name)
    return name if source.index is None else f"{name}[{source.index}]"

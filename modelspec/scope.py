"""One list of layers and the names in it: what each item is called, needs and defines."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from modelspec.diagnostics import Diagnostic, Related, Route, did_you_mean
from modelspec.expressions import fill
from modelspec.graph import Source
from modelspec.naming import AutoNames, snake_case
from modelspec.spec import LayerItem

MAX_CALLS = 20_000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

Value = Source | tuple[Source, ...] | None
"""What a name stands for; None where its item failed, which its users need not hear of again."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in a ``from``, and the place where it is written."""

    name: str
    route: Route


References = Mapping[str | None, Reference | tuple[Reference, ...]]


@dataclass(frozen=True, slots=True)
class Item:
    """A layer item with its names settled.

    ``calls`` names each chained call, ``name`` their result, ``parts`` the results of ``as``.
    """

    index: int
    spec: LayerItem
    route: Route
    name: str
    calls: tuple[str, ...]
    parts: tuple[str, ...]
    share: str | None


@dataclass(frozen=True, slots=True)
class Use:
    """Where a scope stands in the model: at the top, or in one use of a block.

    ``prefix`` precedes the names in it, and ``owner`` the names that own its weights (the same,
    unless the block is shared). ``options`` are the ``trainable`` and ``dtype`` it inherits.
    """

    prefix: str = ""
    owner: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    within: tuple[Route, ...] = ()


@dataclass
class Scope:
    """The items of the spec's ``layers``, or of one use of a block, and the names among them."""

    route: Route
    layers: Sequence[LayerItem]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Value]
    problems: list[Diagnostic]
    use: Use = field(default_factory=Use)
    items: list[Item] = field(default_factory=list)
    owners: dict[str, Item] = field(default_factory=dict)

    def __post_init__(self) -> None:
        explicit = [self._explicit_calls(index) for index in range(len(self.layers))]
        taken = {name for calls in explicit for name in calls or ()} | set(self.inputs)
        auto = AutoNames(taken)
        for index, calls in enumerate(explicit):
            self._enter(self._item(index, calls, auto))

    def fill(self, data: Any, route: Route, i: int | None = None) -> Any:
        """Compute the expressions of an item, in this scope and the ``i``-th repeat."""
        parameters = self.parameters if i is None else {**self.parameters, "i": i}
        return fill(data, parameters, route, self.problems)

    def _repeat(self, index: int) -> int:
        route = (*self.route, index, "repeat")
        count = self.fill(self.layers[index].repeat, route)
        if isinstance(count, bool) or not isinstance(count, int):
            if count is not None:
                message = f"repeat is a whole number, not {count!r}"
                self.problems.append(Diagnostic("wrong-type", message, route))
            return 1
        if not 1 <= count <= MAX_CALLS:
            message = f"repeat is 1 to {MAX_CALLS:,}, not {count}"
            self.problems.append(Diagnostic("wrong-value", message, route))
            return 1
        return count

    def _explicit_calls(self, index: int) -> tuple[str, ...] | None:
        """The names of the chained calls of an item that has a name."""
        item, route = self.layers[index], (*self.route, index, "name")
        if item.name is None:
            return None
        count = self._repeat(index)
        names = [str(self.fill(item.name, route, i)) for i in range(count)]
        if count > 1 and len(set(names)) == 1:
            names = [f"{names[0]}_{i}" for i in range(count)]
        if bad := next((name for name in names if not _NAME.fullmatch(name)), None):
            hint = "a letter, then letters, digits, _ and -"
            self.problems.append(
                Diagnostic("bad-name", f"{bad!r} cannot be a name", route, hint=hint)
            )
        return tuple(names)

    def _item(self, index: int, calls: tuple[str, ...] | None, auto: AutoNames) -> Item:
        item, route = self.layers[index], (*self.route, index)
        share = self.fill(item.share, (*route, "share"))
        if calls is None:
            base = share or snake_case(item.type)
            calls = tuple(auto.give(base) for _ in range(self._repeat(index)))
        name = calls[-1]
        if item.name is not None and len(calls) > 1 and "${" not in item.name:
            name = item.name
        parts = tuple(map(str, self.fill(list(item.as_ or ()), (*route, "as"))))
        return Item(index, item, route, name, calls, parts, share)

    def _enter(self, item: Item) -> None:
        self.items.append(item)
        name_route = (*item.route, "name") if item.spec.name else item.route
        for name in dict.fromkeys((item.name, *item.calls)):
            self._define(name, item, name_route)
        for position, part in enumerate(item.parts):
            self._define(part, item, (*item.route, "as", position))

    def _define(self, name: str, item: Item, route: Route) -> None:
        if name in self.owners or name in self.inputs:
            first = self.owners[name].route if name in self.owners else ("inputs", name)
            related = (Related(f"{name} is first defined here", first),)
            message = f"the name {name} is used twice"
            self.problems.append(Diagnostic("duplicate-name", message, route, related=related))
        else:
            self.owners[name] = item

    def root(self, item: Item) -> Item | None:
        """The item whose layer an item calls: itself, or through ``share`` another."""
        seen = {item.index}
        while item.share is not None:
            owner = self.owners.get(item.share)
            if owner is None or owner.index in seen:
                return None
            seen.add(owner.index)
            item = owner
        return item

    def references(self, item: Item) -> References:
        """What an item is called on; empty where that cannot be told."""
        given = self.fill(_plain(item.spec.from_), (*item.route, "from"))
        if given is None:
            return {} if item.spec.from_ is not None else self._default(item)
        route = (*item.route, "from")
        if not isinstance(given, dict):
            return {None: _references(given, route)}
        return {key: _references(value, (*route, key)) for key, value in given.items()}

    def _default(self, item: Item) -> References:
        if item.index > 0:
            above = self.items[item.index - 1]
            if above.parts:
                message = f"{above.name} has several results: say which with from"
                hint = f"from: {above.parts[0]}"
                self.problems.append(
                    Diagnostic("missing-from", message, item.route, "key", hint=hint)
                )
                return {}
            return {None: Reference(above.name, item.route)}
        if len(self.inputs) == 1:
            return {None: Reference(next(iter(self.inputs)), item.route)}
        names = ", ".join(self.inputs)
        message = f"with several inputs ({names}) the first layer must say from which"
        hint = f"from: {next(iter(self.inputs), '…')}"
        self.problems.append(Diagnostic("missing-from", message, item.route, "key", hint=hint))
        return {}

    def order(self, references: Sequence[References]) -> list[int]:
        """Item indices in an order in which they can be called: the spec's own where that works."""
        needs = {item.index: self._needs(item, references[item.index]) for item in self.items}
        while True:
            sorter = TopologicalSorter(needs)
            try:
                sorter.prepare()
            except CycleError as error:
                ring: list[int] = error.args[1]
                self._report_cycle(ring)
                needs.update({index: set() for index in ring})
                continue
            return _smallest_first(sorter)

    def _needs(self, item: Item, references: References) -> set[int]:
        names = [reference.name for given in references.values() for reference in _each(given)]
        if item.share is not None:
            names.append(item.share)
        return {self.owners[name].index for name in names if name in self.owners}

    def _report_cycle(self, ring: Sequence[int]) -> None:
        names = [self.items[index].name for index in ring]
        first = min(ring)
        related = tuple(
            Related(f"{self.items[index].name} is part of the ring", self.items[index].route)
            for index in sorted(set(ring) - {first})
        )
        item = self.items[first]
        route = (*item.route, "from") if item.spec.from_ is not None else item.route
        message = "these wait for each other: " + " → ".join(names)
        self.problems.append(Diagnostic("cycle", message, route, related=related))

    def unknown(self, reference: Reference) -> Diagnostic:
        known = [*self.inputs, *self.owners]
        hint = did_you_mean(reference.name, known) or f"known here: {', '.join(known[:12])}"
        message = f"nothing here is named {reference.name}"
        return Diagnostic("unknown-name", message, reference.route, hint=hint)


def _plain(given: Any) -> Any:
    """``from`` as YAML has it: pydantic made its lists tuples."""
    if isinstance(given, tuple):
        return list(given)
    if isinstance(given, dict):
        return {key: _plain(value) for key, value in given.items()}
    return given


def _references(given: Any, route: Route) -> Reference | tuple[Reference, ...]:
    if isinstance(given, list):
        return tuple(Reference(str(name), (*route, k)) for k, name in enumerate(given))
    return Reference(str(given), route)


def _each(given: Reference | tuple[Reference, ...]) -> tuple[Reference, ...]:
    return given if isinstance(given, tuple) else (given,)


def _smallest_first(sorter: "TopologicalSorter[int]") -> list[int]:
    ready: list[int] = []
    order: list[int] = []
    for index in sorter.get_ready():
        heappush(ready, index)
    while ready:
        index = heappop(ready)
        order.append(index)
        sorter.done(index)
        for following in sorter.get_ready():
            heappush(ready, following)
    return order

"""One list of layers: the name of each item, and the names that it needs and defines."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from reprlib import repr as short
from typing import Any

from modelspec.graph.budget import Budget
from modelspec.graph.call_order import call_order
from modelspec.graph.items import MAX_CALLS, Item, Use, Value
from modelspec.graph.naming import AutoNames, snake_case
from modelspec.graph.references import Reference, References, each_of, holds_unknown, references_of
from modelspec.language.expressions import has_expression
from modelspec.language.spec import LayerItem
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Related, Route, did_you_mean

MAX_SHOWN = 100
_ITEM_WORK = 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass
class Scope:
    """The items of the spec's ``layers``, or of one use of a block, and the names in it."""

    route: Route
    layers: Sequence[LayerItem]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Value]
    budget: Budget
    use: Use = field(default_factory=Use)
    items: list[Item] = field(default_factory=list)
    owners: dict[str, Item] = field(default_factory=dict)
    nameless: bool = False
    """True where a name could not be computed, so that no other name can be reported as unknown."""

    def __post_init__(self) -> None:
        self.budget.spend(_ITEM_WORK * len(self.layers), self.route, self.use.within)
        # The number of calls comes first, because it decides how many names an item needs. Then all
        # written names, also those of later items, and last the automatic names, which avoid the
        # written ones.
        counts = [self._repeat(index) for index in range(len(self.layers))]
        explicit = [self._explicit_calls(index, count) for index, count in enumerate(counts)]
        parts = [self._parts(index) for index in range(len(self.layers))]
        taken = {*self.inputs, *chain.from_iterable(parts), *self._given_names()}
        taken.update(name for calls in explicit for name in calls or ())
        auto = AutoNames(taken)
        for index, count in enumerate(counts):
            self._enter(self._item(index, explicit[index] or count, parts[index], auto))

    @property
    def problems(self) -> list[Diagnostic]:
        return self.budget.problems

    def fill(self, data: Any, route: Route, i: int | None = None) -> Any:
        """Compute the expressions of an item, in this scope and the ``i``-th repeat.

        A value that failed in one repeat, or in one use of a block, is skipped in the others.
        """
        if data is None:
            return None
        parameters = self.parameters if i is None else {**self.parameters, "i": i}
        return self.budget.fill(data, parameters, route, self.use.within)

    def position(self, index: int, i: int) -> int | None:
        """Return ``${i}`` of the ``i``-th call of an item; None for an item without ``repeat``."""
        return i if "repeat" in self.layers[index].model_fields_set else None

    def _given_names(self) -> Iterator[str]:
        return (item.name for item in self.layers if item.name is not None)

    def _repeat(self, index: int) -> int:
        route = (*self.route, index, "repeat")
        count = self.fill(self.layers[index].repeat, route)
        if isinstance(count, bool) or not isinstance(count, int):
            if count is not UNKNOWN:
                message = f"repeat is an integer, not {count!r}"
                self.problems.append(Diagnostic("wrong-type", message, route))
            return 1
        if not 1 <= count <= MAX_CALLS:
            message = f"repeat is 1 to {MAX_CALLS:,}, not {short(count)}"
            self.problems.append(Diagnostic("wrong-value", message, route))
            return 1
        self.budget.spend(count, (*self.route, index), self.use.within)
        return count

    def _explicit_calls(self, index: int, count: int) -> tuple[str, ...] | None:
        """Return the names of the chained calls of an item that has a name."""
        item, route = self.layers[index], (*self.route, index, "name")
        if item.name is None:
            return None
        names: list[str] | None = [item.name]
        if has_expression(item.name):
            names = self._computed_names(item.name, route, index, count)
        else:
            self.budget.spend(count, route, self.use.within)
        if names is None:
            return None
        if count > 1 and len(set(names)) == 1:
            names = [f"{names[0]}_{i}" for i in range(count)]
        if bad := next((name for name in names if not _NAME.fullmatch(name)), None):
            hint = "a letter, then letters, digits, _ and -"
            self.problems.append(
                Diagnostic("bad-name", f"{bad!r} cannot be a name", route, hint=hint)
            )
        return tuple(names)

    def _computed_names(self, name: str, route: Route, index: int, count: int) -> list[str] | None:
        """Compute the name of an item for each of its calls; None where that fails."""
        names = []
        for i in range(count):
            computed = self.fill(name, route, self.position(index, i))
            if computed is UNKNOWN:
                self.nameless = True
                return None
            names.append(str(computed))
        return names

    def _parts(self, index: int) -> tuple[str, ...]:
        """Return the names of an item's results; a name that could not be computed is empty."""
        route = (*self.route, index, "as")
        names = [
            self.fill(part, (*route, position))
            for position, part in enumerate(self.layers[index].as_ or ())
        ]
        self.nameless = self.nameless or UNKNOWN in names
        return tuple("" if name is UNKNOWN else str(name) for name in names)

    def _share(self, index: int) -> str | None:
        route = (*self.route, index, "share")
        share = self.fill(self.layers[index].share, route)
        if share is None or isinstance(share, str):
            return share
        if share is not UNKNOWN:
            message = f"share is the name of a layer or a block, not {short(share)}"
            self.problems.append(Diagnostic("wrong-type", message, route))
        return None

    def _item(
        self, index: int, call_names: tuple[str, ...] | int, parts: tuple[str, ...], auto: AutoNames
    ) -> Item:
        """Create an item; ``call_names`` are the names of its calls, or how many to generate."""
        item, route = self.layers[index], (*self.route, index)
        share = self._share(index)
        if isinstance(call_names, int):
            base, first = (share, 1) if share else (snake_case(item.type), 0)
            calls = tuple(auto.give(base, first) for _ in range(call_names))
        else:
            calls = call_names
        name = calls[-1]
        if not isinstance(call_names, int) and len(calls) > 1 and not has_expression(item.name):
            name = item.name or name
        return Item(index, item, route, name, calls, parts, share)

    def _enter(self, item: Item) -> None:
        self.items.append(item)
        name_route = (*item.route, "name") if item.spec.name else item.route
        for name in dict.fromkeys((item.name, *item.calls)):
            self._define(name, item, name_route)
        for position, part in enumerate(item.parts):
            if part:
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
        """Return the item whose layer an item calls: itself, or through ``share`` another."""
        seen = {item.index}
        while item.spec.share is not None:
            owner = self.owners.get(item.share) if item.share is not None else None
            if owner is None or owner.index in seen:
                return None
            seen.add(owner.index)
            item = owner
        return item

    def references(self, item: Item) -> References:
        """Return the references in an item's ``from``, or its default; empty after an error."""
        if item.spec.from_ is None:
            return self._default(item)
        route = (*item.route, "from")
        names = self.fill(item.spec.from_, route)
        if (references := references_of(names, route)) is not None:
            return references
        if not holds_unknown(names):
            message = f"from is one name or several, not {short(names)}"
            self.problems.append(Diagnostic("wrong-type", message, route))
        return {}

    def _default(self, item: Item) -> References:
        if item.index > 0:
            above = self.items[item.index - 1]
            if above.parts:
                message = f"{above.name} has several results: use from with the name of one"
                hint = f"from: {above.parts[0]}"
                self.problems.append(
                    Diagnostic("missing-from", message, item.route, "key", hint=hint)
                )
                return {}
            return {None: Reference(above.name, item.route)}
        if len(self.inputs) == 1:
            return {None: Reference(next(iter(self.inputs)), item.route)}
        names = ", ".join(self.inputs)
        message = f"with several inputs ({names}), the first layer needs from"
        hint = f"from: {next(iter(self.inputs), '…')}"
        self.problems.append(Diagnostic("missing-from", message, item.route, "key", hint=hint))
        return {}

    def order(self, references: Sequence[References]) -> list[int]:
        """Return item indices in an order of calls that works: the spec's own if possible."""
        needs = {item.index: self._needs(item, references[item.index]) for item in self.items}
        return call_order(needs, self._report_cycle)

    def _needs(self, item: Item, references: References) -> set[int]:
        names = [
            reference.name for sources in references.values() for reference in each_of(sources)
        ]
        if item.share is not None:
            names.append(item.share)
        return {self.owners[name].index for name in names if name in self.owners}

    def _report_cycle(self, ring: Sequence[int]) -> None:
        names = [self.items[index].name for index in ring[:MAX_SHOWN]]
        first = min(ring)
        related = tuple(
            Related(f"{self.items[index].name} is part of the cycle", self.items[index].route)
            for index in sorted({*ring[:MAX_SHOWN]} - {first})
        )
        item = self.items[first]
        route = (*item.route, "from") if item.spec.from_ is not None else item.route
        message = "these layers depend on each other: " + " → ".join(names)
        self.problems.append(Diagnostic("cycle", message, route, related=related))

    def unknown(self, reference: Reference) -> None:
        """Report a name that is not defined, once in all uses of a block."""
        if self.nameless or reference.route in self.budget.failed:
            return
        self.budget.failed.add(reference.route)
        known = [*self.inputs, *self.owners]
        # Among thousands of names, the search for a near one is slow.
        near = did_you_mean(reference.name, known) if len(self.problems) < MAX_SHOWN else None
        hint = near or f"known here: {', '.join(known[:12])}"
        message = f"no layer or input here is named {reference.name}"
        self.problems.append(Diagnostic("unknown-name", message, reference.route, hint=hint))

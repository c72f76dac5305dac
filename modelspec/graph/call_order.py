"""The order in which the items of a scope are called."""

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

MAX_RINGS = 20


def call_order(needs: Mapping[int, set[int]], report: Callable[[Sequence[int]], None]) -> list[int]:
    """Sort items so that each comes after the items that it needs.

    Args:
        needs: The items that each item needs, by index.
        report: A function that is called with each ring of items that need each other.
    """
    # Report and cut a ring before sorting again, so that the items outside of it keep their order
    # and get their own problems; a spec in order needs no sorting.
    needs = dict(needs)
    for _ in range(MAX_RINGS):
        if all(need < index for index, needed in needs.items() for need in needed):
            break
        sorter = TopologicalSorter(needs)
        try:
            sorter.prepare()
        except CycleError as error:
            ring: list[int] = error.args[1]
            report(ring)
            needs.update({index: set() for index in ring})
        else:
            return _smallest_first(sorter)
    return list(needs)


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

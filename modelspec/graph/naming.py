"""Names for layers that the spec does not name, in Keras's own style."""

import re
from collections.abc import Iterable


def snake_case(name: str) -> str:
    """Convert ``MaxPooling1D`` to ``max_pooling1d``, ``ops.mean`` to ``mean``, as Keras does."""
    name = re.sub(r"\W+", "", name.rpartition(".")[2])
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


class AutoNames:
    """Gives ``dense``, ``dense_1``, … in turn, without the names that are taken."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._next: dict[tuple[str, int], int] = {}

    def give(self, base: str, first: int = 0) -> str:
        """Return the next free name; ``first`` is 1 where another object has the name ``base``."""
        while True:
            count = self._next.get((base, first), first)
            self._next[base, first] = count + 1
            name = f"{base}_{count}" if count else base
            if name not in self._taken:
                self._taken.add(name)
                return name

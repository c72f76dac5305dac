"""Names for layers that the spec does not name, in Keras's own style."""

import re
from collections.abc import Iterable


def snake_case(name: str) -> str:
    """``MaxPooling1D`` → ``max_pooling1d``, as Keras names its layers."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


class AutoNames:
    """Gives ``dense``, ``dense_1``, … in turn, and passes over names that are taken."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def give(self, base: str) -> str:
        while True:
            count = self._next.get(base, 0)
            self._next[base] = count + 1
            name = f"{base}_{count}" if count else base
            if name not in self._taken:
                self._taken.add(name)
                return name

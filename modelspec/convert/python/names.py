"""Python identifiers for the names of a spec."""

import builtins
import keyword
from collections.abc import Iterable

_RESERVED = frozenset(
    {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "l", "O", "I"}
    | {"keras", "layers", "ops", "np", "os", "sys", "main", "build_model", "model", "data", "i"}
)


class Names:
    """Identifiers of one scope, each given once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*_RESERVED, *taken}

    @property
    def taken(self) -> set[str]:
        """All names that are not free."""
        return set(self._taken)

    def give(self, name: str) -> str:
        """Return a free identifier that is as near to a name as possible."""
        base = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
        base = base if base.isidentifier() else f"_{base}"
        while base in self._taken:
            base += "_"
        self._taken.add(base)
        return base

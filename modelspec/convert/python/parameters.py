"""The Python names of a spec's parameters, in the model and in a block."""

from collections.abc import Mapping


class ParameterNames(dict[str, str]):
    """The Python names of parameters; remembers which constants are used."""

    def __init__(
        self, constants: Mapping[str, str], own: Mapping[str, str], used: set[str]
    ) -> None:
        super().__init__({**constants, **own})
        self._constants, self._used = set(constants) - set(own), used

    def __getitem__(self, key: str) -> str:
        if key in self._constants:
            self._used.add(key)
        return super().__getitem__(key)

"""Keras objects as a spec writes them: ``Dense``, or ``{Dense: {units: 3}}``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from modelspec.problems.diagnostic import Route


@dataclass(frozen=True, slots=True)
class Written:
    """A Keras object as a spec writes it.

    ``raw`` is the value in the place of its arguments, None where there is none. ``route`` leads to
    the arguments; of a bare name, to the name.
    """

    name: str
    raw: Any
    route: Route
    is_bare: bool

    @classmethod
    def read(cls, value: Any, route: Route = ()) -> Self | None:
        """Read the object at a route; None where the value has neither form."""
        if isinstance(value, str):
            return cls(value, None, route, is_bare=True)
        if not isinstance(value, Mapping) or len(value) != 1:
            return None
        [(name, raw)] = value.items()
        return cls(name, raw, (*route, name), is_bare=False) if isinstance(name, str) else None

    @property
    def arguments(self) -> Mapping[Any, Any]:
        """The arguments by name; empty where ``raw`` is not a mapping."""
        return self.raw if isinstance(self.raw, Mapping) else {}


def value_text(value: Any) -> str:
    """Return a value as the spec writes it; a Keras object as ``LSTM(units: 32)``."""
    if isinstance(value, Mapping):
        written = Written.read(value)
        if written is not None and isinstance(written.raw, Mapping | None):
            inside = ", ".join(
                f"{key}: {value_text(item)}" for key, item in written.arguments.items()
            )
            return f"{written.name}({inside})" if inside else written.name
        return f"{{{', '.join(f'{key}: {value_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)

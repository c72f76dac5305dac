"""``trainable``: true, false, or the patterns of the layers inside a block that are trained."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from modelspec.language.patterns import matching
from modelspec.problems.diagnostic import Anchor, Diagnostic, Route, did_you_mean

_LISTED = 8


@dataclass(frozen=True, slots=True)
class TrainedInside:
    """Patterns at ``route``, for the layers whose names start with ``prefix``."""

    prefix: str
    patterns: tuple[str, ...]
    route: Route


@dataclass
class Freezing:
    """The patterns of a spec that have matched a layer, and the names that they could match."""

    matched: set[Route] = field(default_factory=set)
    seen: dict[Route, TrainedInside] = field(default_factory=dict)
    names: dict[Route, dict[str, None]] = field(default_factory=dict)

    def decide(self, trainable: Any, layer: str) -> Any:
        """Return True where a pattern matches ``layer``; return other values unchanged."""
        if not isinstance(trainable, TrainedInside):
            return trainable
        self.seen[trainable.route] = trainable
        name = layer.removeprefix(trainable.prefix)
        self.names.setdefault(trainable.route, {})[name] = None
        fits = [bool(matching(pattern, [name])) for pattern in trainable.patterns]
        self.matched.update((*trainable.route, index) for index, fit in enumerate(fits) if fit)
        return any(fits)

    def unmatched(self) -> Iterator[Diagnostic]:
        """Yield a problem for every pattern that matches no layer of any use of its block."""
        for route, chosen in self.seen.items():
            for index, pattern in enumerate(chosen.patterns):
                if (*route, index) not in self.matched:
                    names = list(self.names[route])
                    hint = _beside_a_model(pattern, names)
                    yield unmatched(pattern, names, (*route, index), hint=hint)


def _beside_a_model(pattern: str, names: list[str]) -> str | None:
    """Return a hint for a pattern that continues inside a layer, which must be a model for that."""
    around = next((name for name in names if pattern.startswith(f"{name}.")), None)
    return f"if {around} is a model, write trainable: [...] beside it" if around else None


def unmatched(
    pattern: str,
    names: list[str],
    route: Route,
    anchor: Anchor = "value",
    hint: str | None = None,
) -> Diagnostic:
    """Return the problem of a pattern that matches no layer inside."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    deeper = matching(f"*.{pattern}", names)
    if hint is None:
        hint = f"*.{pattern} matches {deeper[0]}" if deeper else did_you_mean(pattern, names)
    hint = hint or f"inside are {', '.join(names[:_LISTED])}{more}"
    message = f"no layer inside is named {pattern}"
    return Diagnostic("unmatched-pattern", message, route, anchor, hint=hint)


def are_patterns(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(pattern, str) for pattern in value)

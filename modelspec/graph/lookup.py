"""References in a scope → the tensors that they name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from modelspec.graph.graph import Source, Sources
from modelspec.graph.items import Value
from modelspec.graph.references import Reference, References
from modelspec.graph.scope import Scope
from modelspec.problems.diagnostic import Diagnostic, Route


def check_repeated(outputs: Sequence[str], route: Route, scope: Scope) -> None:
    for position, name in enumerate(outputs):
        if name in outputs[:position]:
            message = f"{name} is listed twice"
            scope.problems.append(Diagnostic("duplicate-name", message, (*route, position)))


def resolve(references: References, scope: Scope, values: Mapping[str, Value]) -> Sources | None:
    """Return the source of each call argument; None where one is unknown or failed."""
    sources: dict[str | None, Source | tuple[Source, ...]] = {}
    for key, wanted in references.items():
        if isinstance(wanted, Reference):
            value = _look_up(wanted, scope, values)
        else:
            looked_up = [look_up_single(reference, scope, values) for reference in wanted]
            single = tuple(value for value in looked_up if isinstance(value, Source))
            value = single if len(single) == len(looked_up) else None
        if value is not None:
            sources[key] = value
    return sources if references and len(sources) == len(references) else None


def _look_up(reference: Reference, scope: Scope, values: Mapping[str, Value]) -> Value:
    if reference.name not in scope.owners and reference.name not in scope.inputs:
        scope.unknown(reference)
        return None
    value = values.get(reference.name)
    return replace(value, route=reference.route) if isinstance(value, Source) else value


def look_up_single(reference: Reference, scope: Scope, values: Mapping[str, Value]) -> Value:
    value = _look_up(reference, scope, values)
    if isinstance(value, tuple):
        message = f"{reference.name} refers to {len(value)} results"
        hint = "name them with as, and use one of these names"
        scope.problems.append(Diagnostic("several-results", message, reference.route, hint=hint))
        return None
    return value

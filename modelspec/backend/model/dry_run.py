"""Test creation of a spec's optimizer, losses, metrics and callbacks, to collect Keras's errors."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from modelspec.backend.model.keras_errors import bad_argument
from modelspec.backend.model.objects import make
from modelspec.catalog import Catalog, Family
from modelspec.graph.heads import Head
from modelspec.graph.references import holds_unknown
from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Route

_NEEDS_MORE = frozenset({"TensorBoard"})
"""Created only in training, because they need packages and a folder."""


def dry_run_objects(
    spec: Spec, heads: Sequence[Head], catalog: Catalog, failed: Collection[Route] = ()
) -> list[Diagnostic]:
    """Create every object that has arguments, and return the errors that Keras raises."""
    problems = []
    for family, value, route in _written(spec, heads):
        written = Written.read(value, route)
        assert written is not None
        name, arguments = written.name, written.raw
        if catalog.find(family, name) is None or name in _NEEDS_MORE:
            continue
        if any(other[: len(route)] == route for other in failed):
            continue
        try:
            make(catalog, family, value)
        except ImportError:
            continue
        except Exception as error:  # noqa: BLE001 - constructors raise any type
            problems.append(bad_argument(name, arguments, route, error))
    return problems


def _written(spec: Spec, heads: Sequence[Head]) -> Iterator[tuple[Family, Any, Route]]:
    """Yield objects with arguments of their own; a bare name has nothing to refuse."""
    objects: list[tuple[Family, Any, Route]] = [("optimizer", spec.optimizer, ("optimizer",))]
    for head in heads:
        objects.append(("loss", head.loss, head.route))
        objects += [("metric", metric.value, metric.route) for metric in head.metrics]
    objects += [
        ("callback", callback, ("training", "callbacks", position))
        for position, callback in enumerate(spec.training.callbacks)
    ]
    return (
        (family, value, route)
        for family, value, route in objects
        if isinstance(value, Mapping) and Written.read(value) and not holds_unknown(value)
    )

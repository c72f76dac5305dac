"""The differences in meaning between two specs, models or runs."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelspec import catalog as keras_catalog
from modelspec.api.model_spec import ModelSpec
from modelspec.api.reading import load, loads
from modelspec.comparison.graphs import Compared, GraphComparison, changes
from modelspec.comparison.settings import compare_settings
from modelspec.graph.graph import Node
from modelspec.problems.errors import ModelError
from modelspec.results.difference import CarriedWeights, Change, Difference
from modelspec.results.weights import Layout
from modelspec.runs.layout import RECORD
from modelspec.runs.run import Run

_MODELS = (".keras", ".h5", ".hdf5")
_NOT_IN_MODELS = frozenset({"training", "data", "weights"})


@dataclass(frozen=True)
class _Opened:
    """One side: its spec, its run if it is one, and whether its lines are those of a file."""

    source: ModelSpec
    run: Run | None = None
    has_lines: bool = True

    def line(self, node: Node) -> int | None:
        if not self.has_lines or self.source.document is None:
            return None
        return self.source.document.locate(node.route, "key").span.line


def diff(a: str | Path, b: str | Path, *, light: bool = False) -> Difference:
    """Compare two specs, models or runs by what they mean.

    Spelling is not compared: blocks are expanded, defaults are left out, and layers that do not
    depend on each other can have any order. Keras is imported only if the sides differ.

    Args:
        a: A spec, a ``.keras`` file, or the folder of a run.
        b: The spec, file or folder to compare with ``a``.
        light: Allow Keras to start on JAX, which is faster. The process cannot train then.

    Returns:
        The differences. ``is_empty`` is True if there are none.

    Raises:
        SpecError: A spec has errors.
        ModelError: A model cannot be read, or has parts that a spec cannot contain.
        RunError: A folder contains no run.

    Example:
        >>> import modelspec
        >>> modelspec.diff("specs/mlp.yaml", "specs/mlp.yaml").is_empty
        True
    """
    one, other = _open(a), _open(b)
    first, second = one.source.require(), other.source.require()
    lines = one.line, other.line
    compared = GraphComparison(keras_catalog.load(), first.graph, second.graph, lines).compare()
    difference = Difference(
        str(a),
        str(b),
        inputs=compared.inputs,
        layers=compared.layers,
        outputs=compared.outputs,
        settings=tuple(_settings(one, other, compared.output_names)),
        run=tuple(_runs(one.run, other.run)),
    )
    if not (compared.layers or compared.inputs):
        return difference
    return _with_sizes(difference, one.source, other.source, compared, light=light)


def _settings(one: _Opened, other: _Opened, names: Mapping[str, str]) -> Iterator[Change]:
    """Yield settings that differ; of a model file, only those that such a file contains."""
    changes = compare_settings(one.source.require(), other.source.require(), names)
    if one.has_lines and other.has_lines:
        return changes
    return (
        change
        for change in changes
        if change.name == "training.precision"
        or change.name.partition(".")[0] not in _NOT_IN_MODELS
    )


def _open(path: str | Path) -> _Opened:
    place = Path(path)
    if place.is_dir() or place.name == RECORD:
        run = Run.open(place if place.is_dir() else place.parent)
        return _Opened(load(run.spec_path), run)
    if place.suffix in _MODELS:
        from modelspec.api.importing import import_model

        imported = import_model(place, flat=True)
        if imported.problems:
            messages = "; ".join(problem.message for problem in imported.problems)
            raise ModelError(f"{place} cannot be compared: {messages}")
        text = imported.text.partition("\nweights:")[0] + "\n"
        return _Opened(loads(text, name=str(place)), has_lines=False)
    return _Opened(load(path))


def _with_sizes(
    difference: Difference, one: ModelSpec, other: ModelSpec, compared: Compared, *, light: bool
) -> Difference:
    """Add parameters, operations and weights of both sides, from the shapes of the whole models."""
    from modelspec.api.weight_sources import layout
    from modelspec.backend.model.shapes import start_for

    # A process starts Keras once, for both.
    light = light and not (one.requires_tensorflow or other.requires_tensorflow)
    for source in (one, other):
        valid = source.require()
        start_for(valid.graph, valid.spec.training.precision, light=light)
    before, after = layout(one, light=light), layout(other, light=light)
    return replace(
        difference,
        parameters=(_count(before), _count(after)),
        flops=_flops(one, other, light=light),
        weights=_carried(before, after, one, other, compared),
    )


def _count(layout: Layout) -> int:
    return sum(math.prod(weight.shape) for weights in layout.values() for weight in weights)


def _flops(one: ModelSpec, other: ModelSpec, *, light: bool) -> tuple[int, int] | None:
    """Return the operations for one sample on each side; None where lengths are unknown."""
    from modelspec.api.costs import LengthError, estimate
    from modelspec.api.target import Target

    try:
        first, second = (estimate(Target(source), light=light) for source in (one, other))
    except LengthError:
        return None
    return first.flops, second.flops


def _carried(
    before: Layout, after: Layout, one: ModelSpec, other: ModelSpec, compared: Compared
) -> CarriedWeights:
    """Return layers with equal weights on both sides, which ``weights.from`` can load."""
    ours = {node.name: node.layer for node in one.require().graph.nodes}
    theirs = {node.name: node.layer for node in other.require().graph.nodes}
    partner = {theirs[b]: ours[a] for a, b in compared.pairs.items()}
    carried: dict[str, str] = {}
    fresh: list[str] = []
    for name, weights in after.items():
        source = partner.get(name)
        known = before.get(source) if source is not None else None
        same = known is not None and [(weight.slot, weight.shape) for weight in known] == [
            (weight.slot, weight.shape) for weight in weights
        ]
        if same and source is not None:
            carried[name] = source
        else:
            fresh.append(name)
    return CarriedWeights(carried, tuple(fresh))


def _runs(one: Run | None, other: Run | None) -> Iterator[Change]:
    """Yield the differences of two runs besides their specs: data, versions, seed, results."""
    if one is None or other is None:
        return
    yield from changes(_facts(one), _facts(other))


def _facts(run: Run) -> dict[str, Any]:
    record = run.record
    known = {key: record.get(key) for key in ("seed", "versions", "data")}
    last = run.history[-1] if run.history else {}
    results = {f"last.{key}": value for key, value in last.items() if key != "seconds"}
    return {"status": run.status} | dict(_flat(known)) | results


def _flat(values: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{start}{key}.")
        elif value is not None:
            yield f"{start}{key}", value

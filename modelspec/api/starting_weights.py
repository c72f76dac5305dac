"""The weights that the layers of a spec start from: of a run, a file, or arrays."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelspec.api.model_spec import ModelSpec
from modelspec.api.weight_arrays import weight_arrays
from modelspec.api.weight_sources import open_weights, start_of, unusable
from modelspec.data.arrays import digest
from modelspec.data.concatenated import Array
from modelspec.data.shards import Data
from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic
from modelspec.results.weights import Account, Layout
from modelspec.weights.plan import Plan, make_plan
from modelspec.weights.slots import slots_of
from modelspec.weights.stored import WeightFileError, WeightSource

if TYPE_CHECKING:
    from modelspec.backend.model.layout import Values

IMAGENET = "imagenet"


@dataclass(frozen=True)
class Start:
    """The source of the weights of each layer, and its problems; ``values`` reads the values."""

    account: Account
    problems: list[Diagnostic]
    plan: Plan
    source: WeightSource | None = None
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def values(self) -> Iterator["Values"]:
        """Yield the values of one layer after another, by layer and slot."""
        for ours, theirs in self.plan.loads.items():
            assert self.source is not None
            slots = {place.weight.slot for place in self.plan.arrays if place.layer == ours}
            known = slots_of(self.plan.layout[ours], self.source.headers[theirs], theirs)
            read = self.source.read(theirs)
            yield {ours: {slot: read[at] for slot, at in known.items() if slot not in slots}}
        for place in self.plan.arrays:
            yield {place.layer: {place.weight.slot: self.arrays[place.key]}}


def plan_start(source: ModelSpec, layout: Layout, data: Data | None = None) -> Start:
    """Compare the weights that a spec names with the layers of its model.

    Args:
        source: The spec, without errors.
        layout: The weights of its model.
        data: The training data, for arrays that the spec takes from it. Without it, they are not
            checked.
    """
    valid = source.require()
    weights, graph = valid.spec.weights, valid.graph
    fitted = {node.layer for node in graph.adapted}
    layout = {name: weights for name, weights in layout.items() if name not in fitted}
    opened, problems = open_weights(source)
    routes = {node.layer: node.route for node in reversed(graph.nodes) if node.layer == node.name}
    pretrained = _pretrained(source, graph)
    chosen = _chosen(graph) | pretrained.keys()
    blocks = {node.layer: node.within[0] for node in graph.nodes if node.within}
    headers = opened.headers if opened else None
    plan = make_plan(layout, headers, weights, routes, chosen=chosen, blocks=blocks)
    if not (weights.from_ and opened is None):
        problems += plan.problems
    arrays, faults = weight_arrays(source, plan.arrays, data)
    lines = {name: valid.document.locate(route, "key").span.line for name, route in routes.items()}
    layers = tuple(
        replace(
            layer,
            line=lines.get(layer.layer),
            note=pretrained.get(layer.layer, "") if layer.state == "fresh" else layer.note,
        )
        for layer in plan.layers
    )
    account = Account(weights.from_, layers, plan.unused)
    return Start(account, [*problems, *faults], plan, opened, arrays)


def _pretrained(source: ModelSpec, graph: Graph) -> dict[str, str]:
    """Return the source of each layer that is a trained model, whatever ``weights`` says."""
    origins: dict[str, str] = {}
    for node in graph.nodes:
        entry = source.catalog.find("layer", node.type)
        if entry is None or not entry.is_model:
            continue
        if entry.model is not None:
            origins[node.layer] = str(entry.model.path)
        elif node.arguments.get("weights", IMAGENET) == IMAGENET:
            origins[node.layer] = IMAGENET
    return origins


def _chosen(graph: Graph) -> set[str]:
    """Return layers whose new weights the spec chooses: a table of constants can be frozen."""
    return {
        node.layer
        for node in graph.nodes
        if any(name.endswith("_initializer") for name in node.arguments)
        or node.arguments.get("weights") is not None
    }


def apply_start(source: ModelSpec, model: Any, start: Start) -> None:
    """Assign the values to the model's weights.

    Raises:
        SpecError: The file is damaged, or a value is not finite.
    """
    from modelspec.backend.model.layout import assign_weights

    try:
        for values in start.values():
            source.require(_not_finite(source, values))
            assign_weights(model, values)
    except WeightFileError as error:
        source.require([unusable(error)])


def _not_finite(source: ModelSpec, values: "Values") -> list[Diagnostic]:
    routes = {node.layer: node.route for node in source.require().graph.nodes}
    return [
        Diagnostic(
            "not-finite",
            f"the weights that {layer} would start from contain NaN or infinity",
            routes.get(layer, ()),
            "key",
            hint=f"weights: {{skip: [{layer}]}} gives it new random weights",
        )
        for layer, slots in values.items()
        if any(array.dtype.kind == "f" and not np.isfinite(array).all() for array in slots.values())
    ]


class StartOfTraining:
    """Assigns the weights that the spec names to a built model, and keeps the account."""

    def __init__(self, source: ModelSpec, data: Data) -> None:
        self._source, self._data = source, data
        self.account: Account | None = None
        self.record: dict[str, Any] | None = None
        self.problems: list[Diagnostic] = []

    def __call__(self, model: Any) -> None:
        start = plan_start(self._source, start_of(model), self._data)
        self._source.require(start.problems)
        apply_start(self._source, model, start)
        self.account, self.problems = start.account, start.problems
        if self._source.starts_from_weights:
            self.record = record_of(start)


def record_of(start: Start) -> dict[str, Any]:
    """Return the facts of a start for ``run.json``: the account, and hashes of the weights."""
    arrays = {key: digest(array) for key, array in start.arrays.items()}
    path = getattr(start.source, "path", None)
    return start.account.as_json() | {
        "file": str(path) if path else None,
        "sha256": _sha256(path) if path else None,
        "arrays": arrays,
    }


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

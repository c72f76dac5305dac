"""The contribution of each output's loss, from a spec and data."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modelspec.api.building import beginning, build_unfitted
from modelspec.api.checking import check_dataset
from modelspec.api.model_spec import ModelSpec
from modelspec.api.spec_data import load_data
from modelspec.catalog.losses import outputs_of_ids
from modelspec.checks.strategies import check_sharing, single_head
from modelspec.data.batches import Batches
from modelspec.data.dataset import Dataset
from modelspec.data.shards import Data, Say
from modelspec.problems.diagnostic import Diagnostic, Route
from modelspec.problems.errors import RunError
from modelspec.results.balance import Balance, HeadMeasurement, LayerUse

BATCHES = 30
_DRAWS = 6
_ROUTE: Route = ("outputs",)


def measure(
    source: ModelSpec, data: Data, *, batches: int = BATCHES, say: Say | None = None
) -> Balance:
    """Measure the losses of several outputs and their gradients, on the training rows.

    There are two measurements: with initial weights, and after training on some batches.

    Args:
        source: The spec. It must have losses for at least two outputs that share a layer.
        data: An npz file or a table, a folder of them, a list of both, or a mapping from names to
            arrays.
        batches: The number of training steps before the second measurement.
        say: Receives notes: the arrays in use, and arrays that are unpacked to the disk.

    Returns:
        Both measurements, and the loss weights that make the contributions equal.

    Raises:
        SpecError: The spec or the data has errors, or there is nothing to balance.
        RunError: A loss or a gradient is not finite.

    Example:
        >>> import modelspec
        >>> from modelspec.api.balance import measure
        >>> spec = modelspec.load("specs/digits_heads.yaml")
        >>> balance = measure(spec, "data/digits_heads.npz", batches=5)
        >>> sorted(balance.equal_contributions)
        ['digit', 'ink', 'parity']
    """
    source = _in_full_precision(source)
    graph = source.require().graph
    outputs = [head.output for head in source.heads if head.loss is not None]
    source.require(_unbalanceable(source, outputs))
    dataset = _loaded(source, data, say)
    model = _built(source, data, dataset)
    from modelspec.backend.loss_weights.gradients import weighted_layers
    from modelspec.backend.loss_weights.measuring import measure_heads
    from modelspec.backend.training.adapting import adapt_layers

    layers = weighted_layers(model, graph, outputs)
    if not any(len(served) > 1 for served in layers.values()):
        source.require([_no_weights(outputs)])
    rows = _all_rows(source, dataset)
    adapt_layers(model, graph, rows, say=say or _nobody, warn=say or _nobody)
    seed = source.require().spec.training.seed
    draws = (_drawn(source, seed + more, data) for more in range(_DRAWS))
    start, warm = measure_heads(
        model, graph, outputs, rows, seed=seed, batches=batches, draws=draws
    )
    _require_finite(outputs, start, warm)
    uses = tuple(_uses(source, layers, outputs))
    return Balance(tuple(outputs), start, warm, batches, uses)


def _loaded(source: ModelSpec, data: Data, say: Say | None) -> Dataset:
    dataset, problems = load_data(source, data, say=say)
    source.require(problems)
    assert dataset is not None
    return dataset


def _built(source: ModelSpec, data: Data, dataset: Dataset) -> Any:
    """Return the compiled model, after comparing the data with it."""
    model = build_unfitted(source, beginning(source, data))
    from modelspec.backend.model.model_io import model_outputs

    source.require(check_dataset(source, dataset, model_outputs(model)))
    return model


def _all_rows(source: ModelSpec, dataset: Dataset) -> Batches:
    """Return every row of the data, as in training."""
    valid = source.require()
    training = valid.spec.training
    return Batches(
        dataset,
        np.arange(dataset.samples, dtype=np.int64),
        training.batch_size,
        {name: entry.dtype for name, entry in valid.graph.inputs.items()},
        training.class_weights,
        outputs_of_ids(source.heads),
    )


def _uses(
    source: ModelSpec, layers: Mapping[str, Collection[str]], outputs: Sequence[str]
) -> Iterator[LayerUse]:
    """Yield the layers with weights, their lines, and the outputs that depend on them."""
    valid = source.require()
    routes = {node.layer: node.route for node in reversed(valid.graph.nodes)}
    for name, served in layers.items():
        line = valid.document.locate(routes[name]).span.line
        yield LayerUse(name, line, tuple(output for output in outputs if output in served))


def _nobody(text: str) -> None:
    del text


def _in_full_precision(source: ModelSpec) -> ModelSpec:
    """Return the spec in float32: float16 cannot represent the gradient of a large loss."""
    spec = source.require().spec
    half = spec.training.precision.endswith("16")
    return source.with_training(precision="float32") if half else source


def _require_finite(outputs: Sequence[str], start: HeadMeasurement, warm: HeadMeasurement) -> None:
    for when, gauge in (("at the start", start), ("after the warm-up", warm)):
        for output, *sizes in zip(outputs, gauge.losses, gauge.norms, strict=True):
            if not all(map(math.isfinite, sizes)):
                raise RunError(
                    f"the loss of {output} or its gradient is not finite {when}; "
                    "try a lower learning rate, or scale the targets"
                )


def _drawn(source: ModelSpec, seed: int, data: Data) -> list[Any]:
    """Return initial weights of the model for another seed."""
    spec = source.require().spec
    training = spec.training.model_copy(update={"seed": seed % 2**32})
    other = replace(source, spec=spec.model_copy(update={"training": training}))
    weights: list[Any] = build_unfitted(other, beginning(other, data)).get_weights()
    return weights


def _unbalanceable(source: ModelSpec, outputs: list[str]) -> list[Diagnostic]:
    graph = source.require().graph
    if not outputs:
        hint = "losses: output: loss for each output"
        return [Diagnostic("missing-losses", "balance needs losses", ("losses",), "key", hint=hint)]
    if len(outputs) == 1:
        return [single_head(outputs, _ROUTE)]
    return list(check_sharing(graph, outputs, _ROUTE))


def _no_weights(outputs: list[str]) -> Diagnostic:
    message = f"the layers that {', '.join(outputs)} share have no trainable weights"
    return Diagnostic("no-shared-layers", message, _ROUTE)

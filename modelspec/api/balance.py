"""Spec and data → how the heads of the model stand to each other."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modelspec.api.model_spec import ModelSpec
from modelspec.catalog.losses import outputs_of_ids
from modelspec.checks.strategies import check_sharing, single_head
from modelspec.data.batches import Batches
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
    """Measure the heads at the start, and after a warm-up of some batches, on the training rows.

    ``say`` is told what is unpacked to the disk.

    Raises:
        SpecError: where the spec or the data has errors, or there is nothing to balance.
        RunError: where a loss or a gradient is not finite.
    """
    source = _in_full_precision(source)
    valid = source.require()
    spec, graph, document = valid.spec, valid.graph, valid.document
    outputs = [head.output for head in source.heads if head.loss is not None]
    source.require(_unbalanceable(source, outputs))
    dataset, problems = source.load_data(data, say=say)
    source.require(problems)
    assert dataset is not None
    model = source.build()
    from modelspec.backend.model.model_io import output_shapes

    source.require(source.check_dataset(dataset, output_shapes(model)))
    from modelspec.backend.loss_weights.gradients import weighted_layers
    from modelspec.backend.loss_weights.measuring import measure_heads

    layers = weighted_layers(model, graph, outputs)
    if not any(len(served) > 1 for served in layers.values()):
        source.require([_no_weights(outputs)])
    rows = np.arange(dataset.samples, dtype=np.int64)
    dtypes = {name: given.dtype for name, given in graph.inputs.items()}
    trained = Batches(
        dataset,
        rows,
        spec.training.batch_size,
        dtypes,
        spec.training.class_weights,
        outputs_of_ids(source.heads),
    )
    seed = spec.training.seed
    draws = (_drawn(source, seed + more) for more in range(_DRAWS))
    start, warm = measure_heads(
        model, graph, outputs, trained, seed=seed, batches=batches, draws=draws
    )
    _require_finite(outputs, start, warm)
    routes = {node.layer: node.route for node in reversed(graph.nodes)}
    uses = (
        LayerUse(
            name,
            document.locate(routes[name]).span.line,
            tuple(output for output in outputs if output in served),
        )
        for name, served in layers.items()
    )
    return Balance(tuple(outputs), start, warm, batches, tuple(uses))


def _in_full_precision(source: ModelSpec) -> ModelSpec:
    """Half precision holds no gradient of a large loss; how large it is does not depend on it."""
    spec = source.require().spec
    half = spec.training.precision.endswith("16")
    return source.with_training(precision="float32") if half else source


def _require_finite(outputs: Sequence[str], start: HeadMeasurement, warm: HeadMeasurement) -> None:
    for when, gauge in (("at the start", start), ("after the warm-up", warm)):
        for output, *sizes in zip(outputs, gauge.losses, gauge.norms, strict=True):
            if not all(map(math.isfinite, sizes)):
                raise RunError(
                    f"the loss of {output} or its gradient is not finite {when}: a lower learning "
                    "rate, or scaled targets, may help"
                )


def _drawn(source: ModelSpec, seed: int) -> list[Any]:
    """Fresh weights of the model, by another seed."""
    spec = source.require().spec
    training = spec.training.model_copy(update={"seed": seed % 2**32})
    other = replace(source, spec=spec.model_copy(update={"training": training}))
    weights: list[Any] = other.build().get_weights()
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
    message = f"what {', '.join(outputs)} share has no weights that training changes"
    return Diagnostic("no-shared-layers", message, _ROUTE)

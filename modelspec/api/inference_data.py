"""The data of an evaluation or a prediction: read, compared with the model, and in batches."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from modelspec.api.checking import check_dataset
from modelspec.api.spec_data import trained_outputs
from modelspec.api.target import Target
from modelspec.catalog.losses import outputs_of_one_hot
from modelspec.checks.data import check_data
from modelspec.checks.scale import SCALE_CODES
from modelspec.data.batches import Batches
from modelspec.data.claims import Part
from modelspec.data.dataset import Dataset, load_dataset
from modelspec.data.shards import Data, Say
from modelspec.data.validation_split import split_validation
from modelspec.graph.graph import Graph, Input
from modelspec.language.places import place_all
from modelspec.problems.diagnostic import Diagnostic, has_errors
from modelspec.problems.errors import SpecError
from modelspec.problems.problem import Problem

Warn: TypeAlias = Callable[[Sequence[Problem]], None]
"""A function for warnings about data that can still be used."""


def read_dataset(
    target: Target,
    model: Any,
    data: Data,
    *,
    targets: bool,
    say: Say | None,
    warn: Warn | None,
    part: Part = "test",
) -> Dataset:
    """Read a part of the data, and compare it with the model.

    Raises:
        SpecError: The data has errors.
    """
    from modelspec.backend.model.model_io import output_names

    graph = interface_of(target, model)
    outputs = trained_outputs(target.source) if target.source else output_names(model)
    dataset, problems = load_dataset(
        data,
        inputs=list(graph.inputs),
        outputs=outputs,
        names=target.source.spec.data if target.source and target.source.spec else {},
        dtypes={name: entry.dtype for name, entry in graph.inputs.items()},
        part=part,
        targets="required" if targets else "optional",
        one_hot=outputs_of_one_hot(target.source.heads if target.source else ()),
        say=say,
    )
    if dataset is not None:
        problems += _misfits(target, graph, model, dataset, targets=targets)
    problems = [problem for problem in problems if problem.code not in SCALE_CODES]
    placed = place_all(problems, target.source.document if target.source else None)
    if dataset is None or has_errors(problems):
        raise SpecError(placed)
    if warn and placed:
        warn(placed)
    return dataset


def _misfits(
    target: Target, graph: Graph, model: Any, dataset: Dataset, *, targets: bool
) -> list[Diagnostic]:
    """Compare the arrays with the model, and compute its shapes again with the data's lengths."""
    from modelspec.backend.model.model_io import model_outputs
    from modelspec.backend.model.shapes import check_model_lengths

    outputs = model_outputs(model)
    if target.source is not None and target.source.graph is not None:
        return check_dataset(target.source, dataset, outputs, targets=targets)
    problems = check_data(graph, (), dataset, outputs)
    return problems if has_errors(problems) else [*problems, *check_model_lengths(model, dataset)]


def inference_batches(dataset: Dataset, target: Target, model: Any) -> Batches:
    """Return all rows of a dataset, in batches of the spec's size."""
    graph = interface_of(target, model)
    dtypes = {name: entry.dtype for name, entry in graph.inputs.items()}
    spec = target.source.spec if target.source else None
    batch = max(spec.training.batch_size, 1) if spec else 32
    return Batches(dataset, split_validation(dataset, (), 0.0, 0).rows, batch, dtypes)


def interface_of(target: Target, model: Any) -> Graph:
    """Return the graph of the spec; for a model without a spec, only its inputs."""
    if target.source is not None and target.source.graph is not None:
        return target.source.graph
    inputs = {
        tensor.name: Input(tensor.name, tuple(tensor.shape[1:]), str(tensor.dtype), ())
        for tensor in model.inputs
    }
    return Graph(model.name, inputs, (), {}, "name")

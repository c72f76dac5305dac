"""Evaluation and prediction, on a run, a ``.keras`` file or a spec."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from modelspec.api.target import Target
from modelspec.catalog.losses import loss_facts
from modelspec.checks.data import check_data
from modelspec.data.batches import Batches
from modelspec.data.concatenated import Array, Column
from modelspec.data.dataset import Dataset, load_dataset
from modelspec.data.shards import Data, Say
from modelspec.data.validation_split import split_validation
from modelspec.graph.graph import Graph, Input
from modelspec.language.places import place_all
from modelspec.problems.diagnostic import Diagnostic, has_errors
from modelspec.problems.errors import ModelError, SpecError
from modelspec.problems.problem import Problem

Warn: TypeAlias = Callable[[Sequence[Problem]], None]
"""Is told what is odd about data that can be used all the same."""


def evaluate(
    target: Target, data: Data, *, say: Say | None = None, warn: Warn | None = None
) -> dict[str, float]:
    """Loss and metrics on the test part of npz files, by Keras's own names.

    ``say`` is told what is unpacked to the disk, ``warn`` what is odd about the data.

    Raises:
        SpecError: where the data does not fit.
        ModelError: where the model has no losses.
    """
    model = target.model()
    if not getattr(model, "compiled", False):
        raise ModelError("the model has no losses to evaluate")
    from modelspec.backend.training.engine import Engine
    from modelspec.backend.training.evaluation import Evaluation

    dataset = _dataset(target, model, data, targets=True, say=say, warn=warn)
    return Evaluation(Engine(model), _batches(dataset, target, model))()


@dataclass(frozen=True, slots=True)
class Predictions:
    """One array for each output, by name; and the targets, where the data has them."""

    arrays: Mapping[str, Array]
    targets: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Predicting:
    """Predictions that are made as they are asked for, and kept by nobody.

    ``pieces`` gives some rows of each output at a time, by name; ``of_classes`` says whether a row
    of an output tells one class, where its loss is known.
    """

    pieces: Iterator[Mapping[str, Array]]
    targets: Mapping[str, Column]
    of_classes: Mapping[str, bool]


def predict(
    target: Target, data: Data, *, say: Say | None = None, warn: Warn | None = None
) -> Predictions:
    """Predict for the test part of npz files, which need no targets; all in memory.

    Raises:
        SpecError: where the data does not fit.
    """
    made = predicting(target, data, say=say, warn=warn)
    pieces = list(made.pieces)
    arrays = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return Predictions(arrays, made.targets)


def predicting(
    target: Target, data: Data, *, say: Say | None = None, warn: Warn | None = None
) -> Predicting:
    """As ``predict``, a piece at a time, for what is larger than memory.

    Raises:
        SpecError: where the data does not fit.
    """
    model = target.model()
    from modelspec.backend.training.engine import predictor
    from modelspec.backend.training.eval_batch_size import eval_batch_size

    dataset = _dataset(target, model, data, targets=False, say=say, warn=warn)
    batches = _batches(replace(dataset, targets={}, weights={}), target, model)
    batches = replace(batches, batch_size=eval_batch_size(model, batches.batch_size))
    parts = map(predictor(model), batches.in_order(batches.rows))
    return Predicting(parts, dataset.targets, _of_classes(target, model))


def _of_classes(target: Target, model: Any) -> dict[str, bool]:
    from modelspec.backend.model.model_io import output_shapes

    shapes = output_shapes(model)
    found = {}
    for head in target.source.heads if target.source else ():
        output = shapes[head.output][1:]
        # Of plain crossentropy the output alone tells enough: both kinds for several units do.
        facts = loss_facts(head.loss, output, output)
        if facts is not None:
            found[head.output] = facts.targets in ("ids", "one-hot")
    return found


def _dataset(
    target: Target, model: Any, data: Data, *, targets: bool, say: Say | None, warn: Warn | None
) -> Dataset:
    from modelspec.backend.model.model_io import output_names

    graph = _interface(target, model)
    outputs = target.source.trained_outputs() if target.source else output_names(model)
    dataset, problems = load_dataset(
        data,
        inputs=list(graph.inputs),
        outputs=outputs,
        names=target.source.spec.data if target.source and target.source.spec else {},
        part="test",
        targets="required" if targets else "optional",
        say=say,
    )
    if dataset is not None:
        problems += _misfits(target, graph, model, dataset, targets=targets)
    placed = place_all(problems, target.source.document if target.source else None)
    if dataset is None or has_errors(problems):
        raise SpecError(placed)
    if warn and placed:
        warn(placed)
    return dataset


def _misfits(
    target: Target, graph: Graph, model: Any, dataset: Dataset, *, targets: bool
) -> list[Diagnostic]:
    """Hold arrays against a model, and walk it with their real lengths."""
    from modelspec.backend.model.model_io import output_shapes
    from modelspec.backend.model.shapes import check_model_lengths

    shapes = output_shapes(model)
    if target.source is not None and target.source.graph is not None:
        return target.source.check_dataset(dataset, shapes, targets=targets)
    problems = check_data(graph, (), dataset, shapes)
    return problems if has_errors(problems) else [*problems, *check_model_lengths(model, dataset)]


def _batches(dataset: Dataset, target: Target, model: Any) -> Batches:
    graph = _interface(target, model)
    dtypes = {name: given.dtype for name, given in graph.inputs.items()}
    spec = target.source.spec if target.source else None
    batch = max(spec.training.batch_size, 1) if spec else 32
    return Batches(dataset, split_validation(dataset, (), 0.0, 0).rows, batch, dtypes)


def _interface(target: Target, model: Any) -> Graph:
    """The graph of the spec; for a bare model, its inputs alone."""
    if target.source is not None and target.source.graph is not None:
        return target.source.graph
    inputs = {
        tensor.name: Input(tensor.name, tuple(tensor.shape[1:]), str(tensor.dtype), ())
        for tensor in model.inputs
    }
    return Graph(model.name, inputs, (), {}, "name")

"""Prediction with a run, a ``.keras`` file or a spec."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelspec.api.inference_data import Warn, inference_batches, read_dataset
from modelspec.api.step_places import place_step_errors
from modelspec.api.target import Model, Target, target_of
from modelspec.api.workers import connect_for_inference
from modelspec.catalog.losses import loss_facts
from modelspec.cluster.cluster import Cluster
from modelspec.data.batches import Batches
from modelspec.data.concatenated import Array, Column
from modelspec.data.dataset import load_named
from modelspec.data.shards import Data, Say
from modelspec.data.table_writer import Layout
from modelspec.language.columns import ColumnSource
from modelspec.language.places import place_all
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.errors import SpecError

if TYPE_CHECKING:
    from modelspec.backend.workers.collectives import Collectives


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions in memory.

    ``arrays`` has one array for each output, by name; its first axis is the sample. ``targets`` has
    the targets that the data contains.
    """

    arrays: Mapping[str, Array]
    targets: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Predicting:
    """Predictions that are computed on demand and not stored.

    ``pieces`` yields some rows of each output at a time, by name; ``of_classes`` says whether a row
    of an output is one class, where its loss is known. ``layout`` is for a table of them.
    """

    pieces: Iterator[Mapping[str, Array]]
    targets: Mapping[str, Column]
    of_classes: Mapping[str, bool]
    layout: Layout


def predict(
    target: Model,
    data: Data,
    *,
    say: Say | None = None,
    warn: Warn | None = None,
    cluster: Cluster | None = None,
) -> Predictions:
    """Predict for the test part of the data. Targets are not needed.

    The predictions must fit into memory; ``predicting`` computes them in parts.

    Args:
        target: A run, a ``.keras`` file or a spec: its path, or what ``load`` and ``open_target``
            return.
        data: As for ``evaluate``; only the inputs are required.
        say: Receives notes: the arrays in use, and arrays that are unpacked to the disk.
        warn: Receives the warnings about the data.
        cluster: The workers that predict together, of which this process is one. Each computes its
            share of every batch, and all return all rows, in order.

    Returns:
        One array for each output, and the targets that the data contains.

    Raises:
        SpecError: The spec has errors, or the data does not fit the model.
        ModelError: The file is not a Keras model, or a step cannot be computed.
        PluginError: The code of a plugin raises an exception.
        RunError: A folder contains no run, the checkpoint of a run cannot be read, or a worker is
            missing, differs, or was lost.
        TypeError: ``target`` has another type.

    Example:
        >>> import modelspec
        >>> untrained = modelspec.open_target("specs/digits.yaml")
        >>> predictions = modelspec.predict(untrained, "data/digits.npz")
        >>> predictions.arrays["digit"].shape
        (360, 10)
    """
    made = predicting(target_of(target), data, say=say, warn=warn, cluster=cluster)
    pieces = list(made.pieces)
    arrays = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return Predictions(arrays, made.targets)


def predicting(
    target: Target,
    data: Data,
    *,
    columns: Sequence[str] = (),
    say: Say | None = None,
    warn: Warn | None = None,
    cluster: Cluster | None = None,
) -> Predicting:
    """Predict in parts, for predictions larger than memory.

    Args:
        target: A run, a ``.keras`` file or a spec, from ``open_target``.
        data: As for ``evaluate``; only the inputs are required.
        columns: Columns of the data to put before the predictions in a table.
        say: Receives notes: the arrays in use, and arrays that are unpacked to the disk.
        warn: Receives the warnings about the data.
        cluster: The workers that predict together, as for ``predict``. All must read all parts.

    Returns:
        An iterator over parts of the predictions; each is computed when it is read.

    Raises:
        SpecError: The spec has errors, or the data does not fit the model.
        ModelError: The file is not a Keras model, or a step cannot be computed.
        PluginError: The code of a plugin raises an exception.
        RunError: The checkpoint of a run cannot be read, or a worker is missing, differs, or was
            lost.

    Example:
        >>> import modelspec
        >>> from modelspec.api.prediction import predicting
        >>> made = predicting(modelspec.open_target("specs/digits.yaml"), "data/digits.npz")
        >>> sum(len(part["digit"]) for part in made.pieces)
        360
    """
    workers = connect_for_inference(cluster, target, data) if cluster else None
    model = target.model(compiled=False, say=say)
    from modelspec.backend.model.saving import make_scopes_valid

    make_scopes_valid(model)
    from modelspec.backend.training.empty_rows import with_note_of_empty_rows
    from modelspec.backend.training.eval_batch_size import eval_batch_size

    dataset = read_dataset(target, model, data, targets=False, say=say, warn=warn)
    batches = inference_batches(replace(dataset, targets={}, weights={}), target, model)
    batches = replace(batches, batch_size=eval_batch_size(model, batches.batch_size))
    parts = _parts(model, batches, workers)
    if say is not None:
        parts = with_note_of_empty_rows(parts, model, batches, say)
    kept = _kept(data, columns, dataset.samples, say)
    layout = Layout(kept, _class_names(target), _thresholds(target))
    return Predicting(_placed(parts, target), dataset.targets, _of_classes(target, model), layout)


def _parts(
    model: Any, batches: Batches, workers: "Collectives | None"
) -> Iterator[Mapping[str, Array]]:
    """Yield the outputs batch by batch. A worker reads only the rows that it computes."""
    from modelspec.backend.training.predictors import predictor, shared_predictor
    from modelspec.backend.training.sharing import share_evaluation
    from modelspec.backend.workers.share import own_rows

    shared = share_evaluation(model, workers)
    if shared is None or workers is None:
        return map(predictor(model), batches.in_order(batches.rows))
    compute = shared_predictor(shared)
    starts = range(0, batches.samples, batches.batch_size)
    totals = [min(batches.batch_size, batches.samples - start) for start in starts]
    return (
        compute(batches.gather(start + own_rows(total, workers)), total)
        for start, total in zip(starts, totals, strict=True)
    )


def _placed(parts: Iterator[Mapping[str, Array]], target: Target) -> Iterator[Mapping[str, Array]]:
    """Yield the parts; an error of a step gets the line of its layer."""
    with place_step_errors(target.source):
        yield from parts


def _kept(data: Data, columns: Sequence[str], samples: int, say: Say | None) -> dict[str, Column]:
    """Return columns of the data by name.

    Raises:
        SpecError: There is no such column, or it does not have one value for each sample.
    """
    if not columns:
        return {}
    kept, problems = load_named(data, columns, say)
    for name, column in kept.items():
        if len(column) != samples:
            message = f"column {name} has {len(column):,} values for {samples:,} samples"
            problems.append(Diagnostic("sample-count", message, file="<data>"))
    if problems:
        raise SpecError(place_all(problems, None))
    return kept


def _class_names(target: Target) -> dict[str, tuple[str | int, ...]]:
    spec = target.source.spec if target.source else None
    return {
        name: source.classes
        for name, source in (spec.data if spec else {}).items()
        if isinstance(source, ColumnSource) and source.classes is not None
    }


def _thresholds(target: Target) -> dict[str, float]:
    """Return 0 for outputs that are logits, where a probability has 0.5."""
    heads = target.source.heads if target.source else ()
    return {head.output: 0.0 for head in heads if _takes_logits(head.loss)}


def _takes_logits(loss: Any) -> bool:
    written = Written.read(loss) if loss is not None else None
    return written is not None and written.arguments.get("from_logits") is True


def _of_classes(target: Target, model: Any) -> dict[str, bool]:
    from modelspec.backend.model.model_io import model_outputs

    outputs = model_outputs(model)
    of_classes = {}
    for head in target.source.heads if target.source else ():
        output = outputs[head.output].shape[1:]
        # For plain crossentropy the output is enough: of several units, both kinds are of classes.
        facts = loss_facts(head.loss, output, output)
        if facts is not None:
            of_classes[head.output] = facts.targets in ("ids", "one-hot")
    return of_classes

"""Evaluation of a run, a ``.keras`` file or a spec."""

import math
from typing import TYPE_CHECKING, Any

from modelspec.api.inference_data import Warn, inference_batches, read_dataset
from modelspec.api.step_places import place_step_errors
from modelspec.api.target import Model, Target, target_of
from modelspec.api.workers import connect_for_inference
from modelspec.cluster.cluster import Cluster
from modelspec.data.batches import Batches
from modelspec.data.shards import Data, Say
from modelspec.problems.errors import ModelError

if TYPE_CHECKING:
    from modelspec.backend.workers.collectives import Collectives


def evaluate(
    target: Model,
    data: Data,
    *,
    say: Say | None = None,
    warn: Warn | None = None,
    cluster: Cluster | None = None,
) -> dict[str, float]:
    """Compute loss and metrics on the test part of the data.

    Args:
        target: A run, a ``.keras`` file or a spec: its path, or what ``load`` and ``open_target``
            return.
        data: An npz file or a table, a folder of them, a list of both, or a mapping from names to
            arrays. The arrays ``NAME_test`` are used, or ``NAME`` if there is no such part.
        say: Receives notes: the arrays in use, arrays that are unpacked to the disk, and the
            reason if the evaluation uses smaller batches.
        warn: Receives the warnings about the data.
        cluster: The workers that evaluate together, of which this process is one. Each computes
            its share of every batch, and all return the values of all rows.

    Returns:
        The values by Keras's own names, ``loss`` among them.

    Raises:
        SpecError: The spec has errors, or the data does not fit the model.
        ModelError: The file is not a Keras model, the model has no losses, or a step cannot be
            computed.
        PluginError: The code of a plugin raises an exception.
        RunError: A folder contains no run, the checkpoint of a run cannot be read, or a worker is
            missing, differs, or was lost.
        TypeError: ``target`` has another type.

    Example:
        >>> import modelspec
        >>> untrained = modelspec.open_target("specs/digits.yaml")
        >>> sorted(modelspec.evaluate(untrained, "data/digits.npz"))
        ['accuracy', 'loss']
    """
    target = target_of(target)
    workers = connect_for_inference(cluster, target, data) if cluster else None
    model, batches = load_for_evaluation(target, data, say=say, warn=warn)
    return evaluate_batches(target, model, batches, say=say, workers=workers)


def load_for_evaluation(
    target: Target, data: Data, *, say: Say | None = None, warn: Warn | None = None
) -> tuple[Any, Batches]:
    """Return the compiled model, and the test part of the data in batches; as for ``evaluate``."""
    model = compiled_model(target, say)
    if not getattr(model, "compiled", False):
        raise ModelError("the model has no losses, so it cannot be evaluated")
    from modelspec.backend.model.saving import make_scopes_valid

    make_scopes_valid(model)

    dataset = read_dataset(target, model, data, targets=True, say=say, warn=warn)
    return model, inference_batches(dataset, target, model)


def evaluate_batches(
    target: Target,
    model: Any,
    batches: Batches,
    *,
    say: Say | None = None,
    workers: "Collectives | None" = None,
) -> dict[str, float]:
    """Return loss and metrics of a compiled model."""
    from modelspec.backend.training.empty_rows import empty_row_error
    from modelspec.backend.training.engine import Engine
    from modelspec.backend.training.evaluation import Evaluation
    from modelspec.backend.training.sharing import share_evaluation

    shared = share_evaluation(model, workers)
    with place_step_errors(target.source):
        results = Evaluation(Engine(model, shared=shared), batches, warn=say)()
        if not all(map(math.isfinite, results.values())) and (
            cause := empty_row_error(model, batches)
        ):
            raise cause
    return results


def compiled_model(target: Target, say: Say | None = None) -> Any:
    """Return the model of a target, compiled by its spec; without a spec, as saved in its file.

    Raises:
        SpecError: The spec has errors.
        ModelError: The file cannot be loaded.
    """
    of_run = target.source is not None and target.path is not None
    # Only the file has the last loss weights of a strategy.
    in_file = target.source is not None and target.source.require().strategy is not None
    model = target.model(compiled=not of_run or in_file, say=say)
    if target.source is not None and target.path is not None:
        from modelspec.backend.model.compiling import compile_as_spec

        compile_as_spec(model, target.source.require())
    return model

"""Training: a spec and data → a finished run in its folder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelspec.api.building import build_unfitted
from modelspec.api.interrupts import Interrupts
from modelspec.api.model_spec import ModelSpec
from modelspec.api.reading import spec_of
from modelspec.api.resume import from_checkpoint, resumable, warn_of_other_data
from modelspec.api.run_facts import call_facts, spec_facts, write_spec
from modelspec.api.starting_weights import StartOfTraining
from modelspec.api.step_places import place_step_errors
from modelspec.api.training_data import (
    TrainingArrays,
    check_fitted_ids,
    compare_with_model,
    load_training_arrays,
    make_phases,
)
from modelspec.api.training_decisions import with_decisions
from modelspec.api.workers import connect, devices_of, follower, prepared
from modelspec.catalog.plugins import using
from modelspec.checks.at_mean import left_at_mean
from modelspec.cluster.cluster import Cluster
from modelspec.data.batches import Phases
from modelspec.data.dataset import Dataset
from modelspec.data.shards import Data, files_of
from modelspec.data.snapshot import Snapshot
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.errors import RunError
from modelspec.runs.folder import locked, new_folder
from modelspec.runs.layout import CHECKPOINTS
from modelspec.runs.progress import Listener, NullListener
from modelspec.runs.record import recorded
from modelspec.runs.run import Run
from modelspec.runs.surroundings import Surroundings

if TYPE_CHECKING:
    from modelspec.backend.workers.collectives import Collectives

CHECKPOINT_MINUTES = 10.0


def train(
    source: ModelSpec | str | Path,
    data: Data,
    *,
    validation: Data | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    minutes: float = CHECKPOINT_MINUTES,
    tensorboard: bool = False,
    listener: Listener | None = None,
    cluster: Cluster | None = None,
) -> Run:
    """Train the model of a spec on npz files, tables or arrays.

    The function creates the folder of the run. It saves a checkpoint after each epoch, and during
    long epochs every ``minutes``. A resumed run has bit-identical results.

    Args:
        source: The spec, or its path. It must have at least one loss, and no errors.
        data: An npz file or a table, a folder of them, a list of both, or a mapping from names to
            arrays. The first axis of each array is the sample. The arrays ``NAME_train`` are used,
            or ``NAME`` if there is no such part.
        validation: Data for validation, in the same forms. It replaces ``validation_split``.
            Without it, the arrays ``NAME_val`` of ``data`` are used, if they exist.
        run: The folder of the run; by default a new folder ``runs/NAME/TIMESTAMP``.
        resume: Continue the run in ``run`` from its last checkpoint. Spec and data must be those
            of the run, but the number of epochs can be larger. If the folder contains no run yet,
            start one.
        minutes: The time between two checkpoints within an epoch, in minutes; 10 by default.
        tensorboard: Write TensorBoard logs to the folder of the run.
        listener: Receives progress, notes and warnings; by default they are discarded.
        cluster: The workers that train together, of which this process is one. Each computes its
            share of every batch. The first writes the folder of the run; the others return a copy
            that is deleted.

    Returns:
        The finished run, with its status, history and model.

    Raises:
        SpecError: The spec or the data has errors.
        ModelError: Keras or TensorFlow cannot compute a step. The message names the layer.
        PluginError: The code of a plugin raises an exception.
        RunError: The folder cannot be used, ``resume`` has no folder, the data changes during
            training, the loss is not finite, or a worker is missing, differs, or was lost.
        RunInterrupted: Ctrl-C, SIGTERM or SIGHUP stopped the training. The message says how to
            resume.
        TypeError: ``source`` is neither a spec nor a path.

    Example:
        >>> import modelspec
        >>> spec = modelspec.load("specs/digits.yaml", ["training.epochs=2"])
        >>> run = modelspec.train(spec, "data/digits.npz", run="runs/first")
        >>> len(run.history), run.model_path.name
        (2, 'model.keras')
    """
    source, listener = spec_of(source), listener or NullListener()
    if cluster and run is None:
        raise RunError("several workers need the folder of the run, which --run names")
    if resume and run is None:
        raise RunError("resume needs run, the folder of the run")
    source, arrays = load_training_arrays(source, data, validation, listener)
    facts = spec_facts(source) | arrays.facts() | call_facts(data, validation, run, resume=resume)
    workers = connect(cluster, source, facts) if cluster else None
    devices = devices_of(source, cluster)
    facts |= {"workers": cluster.size if cluster else 1, "devices": len(devices) or 1}
    begun = resume and _has_checkpoint(run)
    if begun:
        source = from_checkpoint(source, listener)
    start = None if begun else StartOfTraining(source, data)
    model = _built(source, start, arrays, facts, listener)
    follows = workers is not None and not workers.is_chief
    made = Run(Path(run) if run else new_folder(source.name))
    with _opened(made, workers, source) as made:
        resume = resume or (follows and made.exists())
        source = resumable(made, source, facts, listener, resume=resume)
        warn_of_other_data(source, facts, listener)
        phases = make_phases(source, arrays, listener)
        sharing = "workers" if workers else "devices" if devices else ""
        source = with_decisions(source, model, phases.training, listener, sharing=sharing)
        facts |= write_spec(source, made, facts)
        if workers and not follows:
            prepared(workers)
        snapshot = Snapshot.take([*files_of(data), *files_of(validation or [])])
        with recorded(made, facts), place_step_errors(source), _interrupts(listener) as interrupts:
            surroundings = Surroundings(
                run=made,
                listener=listener,
                checkpoint_seconds=60 * minutes,
                tensorboard=tensorboard,
                asked_to_stop=lambda: interrupts.requested,
                find_change=snapshot.find_change,
                check_ids=partial(check_fitted_ids, source, listener),
            )
            _run_session(model, source, phases, surroundings, workers=workers, devices=devices)
        penalized = bool(model.losses)
        _tell_of_heads_at_their_mean(source, arrays.trained, made, listener, penalized=penalized)
    return made


def _built(
    source: ModelSpec,
    start: StartOfTraining | None,
    arrays: TrainingArrays,
    facts: dict[str, Any],
    listener: Listener,
) -> Any:
    """Return the compiled model, compared with the data; add its starting weights to ``facts``."""
    model = build_unfitted(source, start)
    source.require(_strategy_problems(source, model))
    compare_with_model(source, model, arrays, listener)
    if start is not None:
        facts["weights"] = start.record
        listener.problems(source.place(start.problems))
        if start.account is not None and start.record:
            listener.weights(start.account)
    return model


def _has_checkpoint(run: str | Path | None) -> bool:
    """Return True where a run continues from a checkpoint, whatever its layers started from."""
    return run is not None and any((Path(run) / CHECKPOINTS).glob("epoch-*.npz"))


def _strategy_problems(source: ModelSpec, model: Any) -> list[Diagnostic]:
    from modelspec.backend.loss_weights.factory import check_strategy

    return check_strategy(model, source.require())


@contextmanager
def _opened(run: Run, workers: "Collectives | None", source: ModelSpec) -> Iterator[Run]:
    """Yield the locked folder of a run; for a worker that is not the chief, a copy."""
    follows = workers is not None and not workers.is_chief
    with (
        follower(run, workers) if workers and follows else nullcontext(run) as opened,
        locked(opened),
        using(source.catalog.plugins),
    ):
        yield opened


def _interrupts(listener: Listener) -> Interrupts:
    return Interrupts(lambda: listener.note("finishing this step"))


def _run_session(
    model: Any,
    source: ModelSpec,
    phases: Phases,
    surroundings: Surroundings,
    *,
    workers: "Collectives | None",
    devices: Sequence[str],
) -> None:
    from modelspec.backend.training.session import run_session

    valid = source.require()
    run_session(model, valid, phases, surroundings, workers=workers, devices=devices)


def _tell_of_heads_at_their_mean(
    source: ModelSpec, dataset: Dataset, run: Run, listener: Listener, *, penalized: bool
) -> None:
    if not run.history:
        return
    valid = source.require()
    warnings = left_at_mean(
        valid.heads,
        valid.graph,
        dataset,
        run.history[-1],
        strategy=valid.strategy is not None,
        penalized=penalized,
    )
    for text in warnings:
        listener.warn(text)


def set_threads(source: ModelSpec) -> None:
    """Set the number of TensorFlow's threads for the model of a spec.

    Call it before TensorFlow starts, in a process that trains only this model, as the ``train``
    command does.
    """
    from modelspec.backend.training import threads

    valid = source.require()
    threads.set_threads(valid.graph, valid.spec.training.batch_size)

"""Training: a spec and data → a finished run in its folder."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelspec.api.interrupts import Interrupts
from modelspec.api.model_spec import ModelSpec
from modelspec.api.resume import all_overrides, refuse_other_spec, resumable, warn_of_other_data
from modelspec.api.step_places import place_step_errors
from modelspec.api.workers import connect, follower, prepared, without_xla
from modelspec.catalog.losses import outputs_of_ids
from modelspec.catalog.plugins import using
from modelspec.checks.at_mean import left_at_mean
from modelspec.checks.scale import SCALE_CODES
from modelspec.cluster.cluster import Cluster
from modelspec.data.arrays import digest
from modelspec.data.batches import Batches, Phases
from modelspec.data.dataset import Dataset
from modelspec.data.shards import Data, files_of, paths_of
from modelspec.data.snapshot import Snapshot
from modelspec.data.validation_split import ValidationSplit, split_validation
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.errors import RunError
from modelspec.runs.folder import locked, new_folder
from modelspec.runs.layout import CHECKPOINTS, SPEC
from modelspec.runs.machine import machine
from modelspec.runs.plugins import keep_plugins
from modelspec.runs.progress import Listener, NullListener
from modelspec.runs.record import recorded
from modelspec.runs.run import Run
from modelspec.runs.surroundings import Surroundings

if TYPE_CHECKING:
    from modelspec.results.weights import Account

CHECKPOINT_MINUTES = 10.0


def train(
    source: ModelSpec,
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
    """Train the model of a spec on npz files or arrays.

    The function creates the folder of the run. It saves a checkpoint after each epoch, and during
    long epochs every ``minutes``. A resumed run has bit-identical results.

    Args:
        source: The spec. It must have at least one loss, and no errors.
        data: An npz file, a folder of npz files, a list of both, or a mapping from names to
            arrays. The first axis of each array is the sample. The arrays ``NAME_train`` are used,
            or ``NAME`` if there is no such part.
        validation: Data for validation, in the same forms. It replaces ``validation_split``.
            Without it, the arrays ``NAME_val`` of ``data`` are used, if they exist.
        run: The folder of the run; by default a new folder ``runs/NAME/TIMESTAMP``.
        resume: Continue the run in ``run`` from its last checkpoint. Spec and data must be those
            of the run, but the number of epochs can be larger. If the folder contains no run yet,
            start one.
        minutes: The time between two checkpoints within an epoch, in minutes.
        tensorboard: Write TensorBoard logs to the folder of the run.
        listener: Receives progress, notes and warnings; by default nothing does.
        cluster: The workers that train together, of which this process is one. Each computes its
            share of every batch. The first writes the folder of the run; the others return a copy
            that is deleted.

    Returns:
        The finished run, with its status, history and model.

    Raises:
        SpecError: The spec or the data has errors.
        RunError: The folder cannot be used, the data changes during training, or the loss is not
            finite.
        RunInterrupted: Ctrl-C or SIGTERM stopped the training. The message says how to resume.

    Example:
        >>> import modelspec
        >>> spec = modelspec.load("specs/digits.yaml", ["training.epochs=2"])
        >>> run = modelspec.train(spec, "data/digits.npz", run="runs/first")
        >>> len(run.history), run.model_path.name
        (2, 'model.keras')
    """
    listener = listener or NullListener()
    if cluster and run is None:
        raise RunError("several workers need the folder of the run, which --run names")
    source, dataset, held = _load(source, data, validation, listener)
    facts = _facts(source, dataset, held) | {
        "arguments": {
            "data": [str(path) for path in paths_of(data)],
            "validation": [str(path) for path in paths_of(validation or [])],
            "run": str(run) if run else None,
            "resume": resume,
        },
    }
    workers = connect(cluster, source, facts) if cluster else None
    begun = _has_checkpoint(run) if resume else False
    start = None if begun else _Start(source, data)
    model = _built(source, start, dataset, held, listener)
    if start is not None:
        facts["weights"] = start.record
        listener.problems(source.place(start.problems))
        if start.account is not None and start.record:
            listener.weights(start.account)
    made = Run(Path(run) if run else new_folder(source.name))
    from modelspec.backend.training.session import run_session

    follows = workers is not None and not workers.is_chief
    with (
        follower(made, workers) if workers and follows else nullcontext(made) as made,
        locked(made),
        using(source.catalog.plugins),
    ):
        resume = resume or (follows and made.exists())
        source = resumable(made, source, facts, listener, resume=resume)
        facts["epochs"] = source.require().spec.training.epochs
        facts["overrides"] = all_overrides(made, source.overrides)
        warn_of_other_data(source, facts, listener)
        phases = _phases(source, dataset, held, listener)
        if workers:
            source = without_xla(source, listener)
        source = _with_jit(source, model, phases.training, listener)
        source = _with_precompute(source, model, listener)
        # Before the record, which makes the folder a run: what is one can be resumed.
        text = source.resolved_text(made.path)
        refuse_other_spec(made, text)
        made.write(SPEC, text)
        facts["plugins"] = keep_plugins(made, source.catalog.plugins)
        if workers and not follows:
            prepared(workers)
        snapshot = Snapshot.take([*files_of(data), *files_of(validation or [])])
        with (
            recorded(made, facts),
            place_step_errors(source),
            Interrupts(lambda: listener.note("finishing this step")) as interrupts,
        ):
            surroundings = Surroundings(
                run=made,
                listener=listener,
                checkpoint_seconds=60 * minutes,
                tensorboard=tensorboard,
                asked_to_stop=lambda: interrupts.requested,
                find_change=snapshot.find_change,
            )
            run_session(model, source.require(), phases, surroundings, workers=workers)
        penalized = bool(model.losses)
        _tell_of_heads_at_their_mean(source, dataset, made, listener, penalized=penalized)
    return made


def _facts(source: ModelSpec, dataset: Dataset, held: Dataset | None) -> dict[str, Any]:
    """What the record of a run says of its spec, its data and the machine."""
    spec = source.require().spec
    return {
        "name": source.name,
        "seed": spec.training.seed,
        "data": _identity(dataset),
        "machine": machine(),
        "parameters": dict(spec.params),
        "validation": _identity(held) if held else None,
    }


def _built(
    source: ModelSpec,
    start: "_Start | None",
    dataset: Dataset,
    held: Dataset | None,
    listener: Listener,
) -> Any:
    """The compiled model, with the data held against it."""
    model = source.build_unfitted(start)
    source.require(_strategy_problems(source, model))
    listener.problems(source.place(_checked(source, model, dataset)))
    if held:
        listener.problems(source.place(_checked(source, model, held, "validation data: ")))
    return model


class _Start:
    """Gives a built model the weights that the spec names, and keeps the account."""

    def __init__(self, source: ModelSpec, data: Data) -> None:
        self._source, self._data = source, data
        self.account: Account | None = None
        self.record: dict[str, Any] | None = None
        self.problems: list[Diagnostic] = []

    def __call__(self, model: Any) -> None:
        from modelspec.api.starting_weights import apply_start, plan_start, record_of, start_of

        start = plan_start(self._source, start_of(model), self._data)
        self._source.require(start.problems)
        apply_start(self._source, model, start)
        self.account, self.problems = start.account, start.problems
        if self._source.starts_from_weights:
            self.record = record_of(start)


def _has_checkpoint(run: str | Path | None) -> bool:
    """Whether a run continues from a checkpoint, whatever its layers started from."""
    return run is not None and any((Path(run) / CHECKPOINTS).glob("epoch-*.npz"))


def _tell_of_heads_at_their_mean(
    source: ModelSpec, dataset: Dataset, run: Run, listener: Listener, *, penalized: bool
) -> None:
    if not run.history:
        return
    strategy = source.require().strategy is not None
    told = left_at_mean(
        source.heads, dataset, run.history[-1], strategy=strategy, penalized=penalized
    )
    for text in told:
        listener.warn(text)


def set_threads(source: ModelSpec) -> None:
    """Set the number of TensorFlow's threads for the model of a spec.

    Call it before TensorFlow starts, in a process that trains only this model, as the ``train``
    command does.
    """
    from modelspec.backend.training import threads

    valid = source.require()
    threads.set_threads(valid.graph, valid.spec.training.batch_size)


def _load(
    source: ModelSpec, data: Data, validation: Data | None, listener: Listener
) -> tuple[ModelSpec, Dataset, Dataset | None]:
    """Read the arrays for training and for validation, before Keras is imported.

    The spec has the classes of the training data, where it says that targets are names of them.
    """
    source.require(_missing_losses(source))
    dataset, problems = source.load_data(data, say=listener.note)
    if dataset is not None:
        source = source.with_classes(dataset.classes)
    held: Dataset | None = None
    more: list[Diagnostic] = []
    if not validation and source.has_validation_part(data):
        validation = data
        if source.require().spec.training.validation_split:
            listener.note("the data has a validation part, so validation_split is not used")
    if validation:
        held, more = source.load_data(validation, "validation", say=listener.note)
    source.require([*problems, *more])
    listener.problems(source.place([*problems, *more]))
    assert dataset is not None
    return source, dataset, held


def _missing_losses(source: ModelSpec) -> list[Diagnostic]:
    if source.graph is None or any(head.loss is not None for head in source.heads):
        return []
    if source.adds_loss:
        return []
    hint = "losses: mse, or output: loss for each output"
    return [Diagnostic("missing-losses", "training needs losses", ("losses",), "key", hint=hint)]


def _strategy_problems(source: ModelSpec, model: Any) -> list[Diagnostic]:
    from modelspec.backend.loss_weights.factory import check_strategy

    return check_strategy(model, source.require())


def _checked(source: ModelSpec, model: Any, dataset: Dataset, prefix: str = "") -> list[Diagnostic]:
    """Return the warnings about a data set for this model; raise its errors."""
    from modelspec.backend.model.model_io import model_outputs

    problems = source.check_dataset(dataset, model_outputs(model))
    if prefix:
        # The scale is that of what is trained on, which was told.
        judged = (problem for problem in problems if problem.code not in SCALE_CODES)
        problems = [replace(problem, message=prefix + problem.message) for problem in judged]
    source.require(problems)
    return problems


def _phases(
    source: ModelSpec, dataset: Dataset, held: Dataset | None, listener: Listener
) -> Phases:
    valid = source.require()
    spec, graph = valid.spec, valid.graph
    training = spec.training
    dtypes = {name: entry.dtype for name, entry in graph.inputs.items()}
    split = 0.0 if held else training.validation_split
    parts = split_validation(dataset, source.heads, split, training.seed)
    if not len(parts.rows):
        raise RunError(
            f"validation_split leaves none of the {dataset.samples:,} samples for training"
        )
    if split and not len(parts.held):
        listener.warn(
            f"validation_split selects none of the {dataset.samples:,} samples for validation"
        )
    trained = Batches(
        dataset,
        parts.rows,
        training.batch_size,
        dtypes,
        training.class_weights,
        outputs_of_ids(valid.heads),
    )
    source.require(_untrained_classes(source, dataset, parts))
    if parts.phrase:
        listener.note(parts.phrase)
    if parts.phrase and isinstance(split, float) and not training.shuffle:
        listener.note(
            f"the rows are drawn at random; validation_split: {{last: "
            f"{split:g}}} takes the last rows"
        )
    if held is not None:
        everything = split_validation(held, (), 0.0, training.seed).rows
        return Phases(trained, Batches(held, everything, training.batch_size, dtypes))
    drawn = Batches(dataset, parts.held, training.batch_size, dtypes)
    return Phases(trained, drawn if drawn.samples else None)


def _untrained_classes(
    source: ModelSpec, dataset: Dataset, parts: ValidationSplit
) -> list[Diagnostic]:
    """The classes that only rows for validation have, where the spec does not list the classes."""
    spec, document = source.require().spec, source.require().document
    written = document.data.get("data") or {}
    problems = []
    for name, classes in dataset.classes.items():
        if name not in spec.data or written.get(name, {}).get("classes") is not None:
            continue
        counts = np.bincount(np.asarray(dataset.targets[name])[parts.rows], minlength=len(classes))
        missing = [str(classes[at]) for at in np.flatnonzero(counts == 0)]
        if missing:
            listed = ", ".join(map(str, classes))
            message = f"no training row of {name} has the class {', '.join(missing)}"
            hint = f"list the classes: classes: [{listed}]"
            problems.append(Diagnostic("unknown-class", message, ("data", name), hint=hint))
    return problems


def _with_precompute(source: ModelSpec, model: Any, listener: Listener) -> ModelSpec:
    """Return the spec with ``precompute`` decided, so that the spec of the run repeats it."""
    from modelspec.backend.training.precompute import pays, split

    valid = source.require()
    training = valid.spec.training
    if training.precompute is True and (valid.strategy is not None or split(model) is None):
        why = "a strategy sets loss_weights" if valid.strategy else "no beginning is frozen"
        listener.warn(f"training.precompute: true changes nothing: {why}")
    if training.precompute != "auto":
        return source
    chosen = valid.strategy is None and pays(model, training.epochs)
    return source.with_training(precompute=chosen)


def _with_jit(source: ModelSpec, model: Any, batches: Batches, listener: Listener) -> ModelSpec:
    """Return the spec with ``jit`` decided, so that the spec of the run repeats it."""
    from modelspec.backend.training.xla import choose, find_obstacle

    training = source.require().spec.training
    obstacle = find_obstacle(model)
    if training.jit is True and obstacle:
        listener.warn(f"{obstacle}; training.jit: false draws as without XLA")
    if training.jit != "auto":
        return source
    if obstacle:
        listener.note(f"{obstacle}; XLA does not compile the steps")
    steps = training.epochs * batches.steps
    chosen = choose(model, steps)
    if chosen:
        what = "the steps" if chosen is True else "the optimizer's updates of large weights"
        listener.note(f"XLA compiles {what}: {steps:,} steps (training.jit)")
    return source.with_training(jit=chosen)


def _identity(dataset: Dataset) -> dict[str, Any]:
    """The number of samples, and the SHA-256 of every array in use by its name in the npz file."""
    parts = [
        *dataset.inputs.items(),
        *dataset.targets.items(),
        *((f"{name}_weight", array) for name, array in dataset.weights.items()),
    ]
    digests = {dataset.array_names[name]: digest(array) for name, array in parts}
    return {"samples": dataset.samples, "sha256": digests}

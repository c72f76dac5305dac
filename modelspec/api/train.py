"""Spec and data → a finished run in its folder."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelspec.api.interrupts import Interrupts
from modelspec.api.model_spec import ModelSpec
from modelspec.api.resume import refuse_other_spec, resumable, warn_of_other_data
from modelspec.backend.training.loss_shares import Tally
from modelspec.checks.data import check_data
from modelspec.data.arrays import digest
from modelspec.data.batches import Feed
from modelspec.data.dataset import Dataset
from modelspec.data.shards import Paths, each_path, files_of
from modelspec.data.snapshot import Stamps
from modelspec.data.validation_split import hold_out
from modelspec.problems.diagnostic import Diagnostic, has_errors
from modelspec.problems.errors import RunError
from modelspec.runs.layout import MODEL, SPEC
from modelspec.runs.progress import Silent, Watcher
from modelspec.runs.record import recorded
from modelspec.runs.run import Run, locked, new_folder
from modelspec.storage.atomic import replacing

CHECKPOINT_MINUTES = 10.0


def train(
    source: ModelSpec,
    data: Paths,
    *,
    validation: Paths | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    minutes: float = CHECKPOINT_MINUTES,
    tensorboard: bool = False,
    watcher: Watcher | None = None,
) -> Run:
    """Train the model of a spec on npz files.

    The run's folder is made; one that holds a run already is refused, unless ``resume`` goes on
    with that run, after its last checkpoint and with the same result as without the break. There is
    a checkpoint after each epoch, and every so many ``minutes`` inside of long ones.

    Raises:
        SpecError: where the spec or the data has errors.
        RunError: where the folder cannot be used, the data changes, or the loss is not finite.
        RunInterrupted: where Ctrl-C ended the training.
    """
    watcher = watcher or Silent()
    dataset, held = _load(source, data, validation, watcher)
    model = source.build()
    source.require(_strategy_problems(source, model))
    watcher.problems(source.place(_checked(source, model, dataset)))
    if held:
        watcher.problems(source.place(_checked(source, model, held, "validation data: ")))
    training = source.require()[0].training
    facts: dict[str, Any] = {
        "name": source.name,
        "seed": training.seed,
        "arguments": {
            "data": [str(path) for path in each_path(data)],
            "validation": [str(path) for path in each_path(validation or [])],
            "run": str(run) if run else None,
            "resume": resume,
        },
        "data": _identity(dataset),
        "validation": _identity(held) if held else None,
    }
    made = Run(Path(run) if run else new_folder(source.name))
    with locked(made):
        source = resumable(made, source, facts, watcher, resume=resume)
        facts["epochs"] = source.require()[0].training.epochs
        warn_of_other_data(source, facts, watcher)
        feeds = _feeds(source, dataset, held, watcher)
        source = _with_jit(source, model, feeds[0], watcher)
        # Before the record, which makes the folder a run: what is one can be resumed.
        text = source.resolved_text()
        refuse_other_spec(made, text)
        made.write(SPEC, text)
        stamps = Stamps.take(files_of([*each_path(data), *each_path(validation or [])]))
        with recorded(made, facts):
            _fit(made, source, model, feeds, _Setting(watcher, stamps, minutes, tensorboard))
    return made


@dataclass(frozen=True, slots=True)
class _Setting:
    """What surrounds the training of a run, and changes no number of it."""

    watcher: Watcher
    stamps: Stamps
    minutes: float
    tensorboard: bool


def _load(
    source: ModelSpec, data: Paths, validation: Paths | None, watcher: Watcher
) -> tuple[Dataset, Dataset | None]:
    """The arrays to train and to validate on, before anything heavy is started for them."""
    source.require(_missing_losses(source))
    dataset, problems = source.load_data(data, say=watcher.note)
    held: Dataset | None = None
    more: list[Diagnostic] = []
    if validation:
        held, more = source.load_data(validation, "test", say=watcher.note)
    source.require([*problems, *more])
    watcher.problems(source.place([*problems, *more]))
    assert dataset is not None
    return dataset, held


def _missing_losses(source: ModelSpec) -> list[Diagnostic]:
    if source.graph is None or any(head.loss is not None for head in source.heads):
        return []
    hint = "losses: mse, or output: loss for each output"
    return [Diagnostic("missing-losses", "training needs losses", ("losses",), "key", hint=hint)]


def _strategy_problems(source: ModelSpec, model: Any) -> list[Diagnostic]:
    from modelspec.backend.loss_weights.factory import check_strategy

    spec, graph, _ = source.require()
    return check_strategy(model, source.heads, spec, graph)


def _checked(source: ModelSpec, model: Any, dataset: Dataset, prefix: str = "") -> list[Diagnostic]:
    """Hold the arrays against the model, and once more with the lengths that they really have."""
    from modelspec.backend.model.model_io import output_shapes
    from modelspec.backend.model.shapes import check_lengths

    _, graph, _ = source.require()
    found = check_data(graph, source.heads, dataset, output_shapes(model))
    if not has_errors(found):
        found += check_lengths(graph, source.catalog, dataset)
    found = [replace(each, message=prefix + each.message) for each in found]
    source.require(found)
    return found


def _feeds(
    source: ModelSpec, dataset: Dataset, held: Dataset | None, watcher: Watcher
) -> tuple[Feed, Feed | None]:
    spec, graph, _ = source.require()
    training = spec.training
    dtypes = {name: given.dtype for name, given in graph.inputs.items()}
    share = 0.0 if held else training.validation_split
    parts = hold_out(dataset, source.heads, share, training.seed)
    if not len(parts.rows):
        raise RunError(f"validation_split leaves none of {dataset.samples:,} samples to train on")
    if share and not len(parts.held):
        watcher.warn(f"validation_split holds out none of {dataset.samples:,} samples")
    feed = Feed(dataset, parts.rows, training.batch_size, dtypes, training.class_weights)
    if parts.phrase:
        watcher.note(parts.phrase)
    if held is not None:
        everything = hold_out(held, (), 0.0, training.seed).rows
        return feed, Feed(held, everything, training.batch_size, dtypes)
    drawn = Feed(dataset, parts.held, training.batch_size, dtypes)
    return feed, drawn if drawn.samples else None


def _with_jit(source: ModelSpec, model: Any, feed: Feed, watcher: Watcher) -> ModelSpec:
    """The spec with its choice made, so that the run's own spec repeats it."""
    from modelspec.backend.training.xla import choose

    training = source.require()[0].training
    if training.jit != "auto":
        return source
    steps = training.epochs * feed.steps
    chosen = choose(model, steps)
    if chosen:
        what = "the steps" if chosen is True else "the optimizer's updates of large weights"
        watcher.note(f"XLA compiles {what}: {steps:,} steps (training.jit)")
    return source.with_training(jit=chosen)


def _fit(
    run: Run,
    source: ModelSpec,
    model: Any,
    feeds: tuple[Feed, Feed | None],
    setting: _Setting,
) -> None:
    from modelspec.backend.loss_weights.factory import make_strategy
    from modelspec.backend.model.saving import write_model
    from modelspec.backend.training.callbacks import Told, idle, make_callbacks, tensorboard
    from modelspec.backend.training.checkpointer import Keeper
    from modelspec.backend.training.checkpoints import State
    from modelspec.backend.training.engine import Engine
    from modelspec.backend.training.loop import Course, Stopped, fit
    from modelspec.backend.training.xla import extent

    spec, graph, _ = source.require()
    training, watcher = spec.training, setting.watcher
    assert training.jit != "auto"
    callbacks = make_callbacks(source.catalog, training.callbacks, run.path)
    if feeds[1] is None:
        for warning in idle(callbacks):
            watcher.warn(warning)
    told = [*callbacks, *([tensorboard(run.path)] if setting.tensorboard else [])]
    strategy = make_strategy(model, source.heads, spec, graph, source.catalog)
    state = State(model, callbacks, strategy.variables if strategy else ())
    step = strategy.train_step if strategy else None
    with Interrupts(lambda: watcher.note("finishing this step")) as interrupts:
        course = Course(
            *feeds,
            training,
            Told(told, model, epochs=training.epochs, steps=feeds[0].steps),
            watcher,
            Keeper(run, state, 60 * setting.minutes, watcher.warn),
            asked_to_stop=lambda: interrupts.requested,
            complaint=setting.stamps.complaint,
            tally=Tally(source.heads, strategy.weights if strategy else None, watcher.warn),
        )
        try:
            fit(Engine(model, jit=extent(model, jit=training.jit), step=step), course)
        except Stopped:
            raise KeyboardInterrupt from None
    if strategy:
        strategy.finish()
    with replacing(run.path / MODEL) as aside:
        write_model(model, aside)


def _identity(dataset: Dataset) -> dict[str, Any]:
    """The number of samples, and the SHA-256 of every array in use by its name in the npz file."""
    parts = [
        *dataset.inputs.items(),
        *dataset.targets.items(),
        *((f"{name}_weight", array) for name, array in dataset.weights.items()),
    ]
    digests = {dataset.arrays[name]: digest(array) for name, array in parts}
    return {"samples": dataset.samples, "sha256": digests}

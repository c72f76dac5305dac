"""Spec and data → a finished run in its folder."""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modelspec.arrays import digest
from modelspec.checks.data import check_data
from modelspec.dataset import Dataset
from modelspec.diagnostics import Diagnostic, has_errors
from modelspec.failures import RunError, RunInterrupted
from modelspec.feed import Feed, split
from modelspec.pipeline import ModelSpec, load
from modelspec.run import (
    CHECKPOINTS,
    MODEL,
    SPEC,
    Run,
    default_path,
    locked,
    replacing,
)
from modelspec.watcher import Silent, Watcher

_DISTRIBUTIONS = ("keras-modelspec", "keras", "tensorflow", "numpy")


def train(
    source: ModelSpec,
    data: str | Path,
    *,
    validation: str | Path | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    watcher: Watcher | None = None,
) -> Run:
    """Train the model of a spec on an npz file.

    The run's folder is made; one that holds a run already is refused, unless ``resume`` goes on
    with that run, after its last finished epoch and with the same result as without the break.

    Raises:
        SpecError: where the spec or the data has errors.
        RunError: where the folder cannot be used.
        RunInterrupted: where Ctrl-C ended the training.
    """
    dataset, held = _load(source, Path(data), Path(validation) if validation else None)
    model = source.build()
    for each in filter(None, (dataset, held)):
        _check(source, model, each)
    made = Run(Path(run) if run else default_path(source.name))
    arguments = {
        "data": str(data),
        "validation": str(validation) if validation else None,
        "run": str(run) if run else None,
        "resume": resume,
    }
    with locked(made):
        if made.exists():
            _check_resumable(made, source, dataset, resume=resume)
        with _recorded(made, source, dataset, arguments):
            _fit(made, source, model, _feeds(source, dataset, held), watcher or Silent())
    return made


def _load(source: ModelSpec, data: Path, validation: Path | None) -> tuple[Dataset, Dataset | None]:
    """The arrays to train and to validate on, before anything heavy is started for them."""
    source.require(_missing_losses(source))
    dataset, problems = source.load_data(data)
    held, more = source.load_data(validation, "test") if validation else (None, [])
    source.require([*problems, *more])
    assert dataset is not None
    return dataset, held


def _check_resumable(run: Run, source: ModelSpec, dataset: Dataset, *, resume: bool) -> None:
    """Refuse to go on with a run by anything but its own spec and data.

    More epochs are the one thing that may be asked of it.
    """
    if not resume:
        raise RunError(f"{run.path} holds a run already: resume it, or name another folder")
    written = load(run.spec_path, [f"training.epochs={source.require()[0].training.epochs}"])
    if written.resolved_text() != source.resolved_text():
        raise RunError(f"the spec is not the one that {run.path} was run with: see its {SPEC}")
    if run.record["data"]["sha256"] != _digests(dataset):
        raise RunError(f"the data is not what {run.path} was trained on")


def _missing_losses(source: ModelSpec) -> list[Diagnostic]:
    if source.graph is None or any(head.loss is not None for head in source.heads):
        return []
    hint = "losses: mse, or output: loss for each output"
    return [Diagnostic("missing-losses", "training needs losses", ("losses",), "key", hint=hint)]


def _check(source: ModelSpec, model: Any, dataset: Dataset) -> None:
    """Hold the arrays against the model, and once more with the lengths that they really have."""
    from modelspec.backend.forms import output_shapes
    from modelspec.backend.shapes import check_lengths

    _, graph, _ = source.require()
    found = check_data(graph, source.heads, dataset, output_shapes(model))
    if not has_errors(found):
        found += check_lengths(graph, source.catalog, dataset)
    source.require(found)


def _feeds(source: ModelSpec, dataset: Dataset, held: Dataset | None) -> tuple[Feed, Feed | None]:
    spec, graph, _ = source.require()
    training = spec.training
    dtypes = {name: given.dtype for name, given in graph.inputs.items()}
    fraction = 0.0 if held else training.validation_split
    rows, drawn = split(dataset.samples, fraction, training.seed)
    feed = Feed(dataset, rows, training.batch_size, dtypes, training.class_weights)
    if held is not None:
        everything, _ = split(held.samples, 0.0, training.seed)
        return feed, Feed(held, everything, training.batch_size, dtypes)
    return feed, Feed(dataset, drawn, training.batch_size, dtypes) if len(drawn) else None


@contextmanager
def _recorded(
    run: Run, source: ModelSpec, dataset: Dataset, arguments: Mapping[str, Any]
) -> Iterator[None]:
    """Keep ``run.json`` true whatever happens inside."""
    spec, _, _ = source.require()
    run.write(SPEC, source.resolved_text())
    run.update(
        status="running",
        name=source.name,
        versions={"python": platform.python_version(), **_versions()},
        seed=spec.training.seed,
        arguments=dict(arguments),
        data={"samples": dataset.samples, "sha256": _digests(dataset)},
        started=_now(),
    )
    began = time.perf_counter()
    try:
        yield
    except KeyboardInterrupt as interrupt:
        run.update(status="interrupted", ended=_now())
        raise RunInterrupted(run.path) from interrupt
    except BaseException as error:
        run.update(status="failed", error=str(error), ended=_now())
        raise
    run.update(status="completed", ended=_now(), seconds=round(time.perf_counter() - began, 3))


def _fit(
    run: Run,
    source: ModelSpec,
    model: Any,
    feeds: tuple[Feed, Feed | None],
    watcher: Watcher,
) -> None:
    from modelspec.backend.callbacks import make_callbacks
    from modelspec.backend.checkpoints import checkpoints, save_checkpoint
    from modelspec.backend.fitting import finite, fit
    from modelspec.backend.saving import write_model

    spec, _, _ = source.require()
    callbacks = make_callbacks(source.catalog, spec.training.callbacks, run.path)
    folder = run.path / CHECKPOINTS
    last = next(reversed(checkpoints(folder)), None)
    epochs = fit(
        model, *feeds, spec.training, callbacks=callbacks, watcher=watcher, checkpoint=last
    )
    for record in epochs:
        run.append(finite(record))
        save_checkpoint(folder, model, callbacks, record["epoch"])
    with replacing(run.path / MODEL) as aside:
        write_model(model, aside)


def _digests(dataset: Dataset) -> dict[str, str]:
    """The SHA-256 of every array in use, by its name in the npz file."""
    parts = [
        *dataset.inputs.items(),
        *dataset.targets.items(),
        *((f"{name}_weight", array) for name, array in dataset.weights.items()),
    ]
    return {dataset.arrays[name]: digest(array) for name, array in parts}


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _DISTRIBUTIONS}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

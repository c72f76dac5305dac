"""Epochs: shuffled rows through the engine, validation, callbacks and history."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelspec.backend.training.batch_source import Supply, sample, supply
from modelspec.backend.training.callbacks import Told
from modelspec.backend.training.checkpointer import Keeper
from modelspec.backend.training.checkpoints import Position
from modelspec.backend.training.engine import Engine
from modelspec.backend.training.evaluation import Evaluation, Logs
from modelspec.data.batches import Feed
from modelspec.language.spec import Training
from modelspec.problems.errors import RunError
from modelspec.runs.progress import Watcher


class Stopped(Exception):  # noqa: N818 - a request that was met
    """Training ended between two steps, because somebody asked for it; all is kept."""


@dataclass(frozen=True)
class Course:
    """What a run goes through, beside the model: rows, settings, and who takes part.

    ``asked_to_stop`` and ``complaint``, which says why the run cannot go on, are asked after every
    call of the engine. ``tally`` adds to the logs of an epoch.
    """

    feed: Feed
    validation: Feed | None
    training: Training
    told: Told
    watcher: Watcher
    keeper: Keeper
    asked_to_stop: Callable[[], bool]
    complaint: Callable[[], str | None]
    tally: Callable[[Logs], Logs]


def fit(engine: Engine, course: Course) -> None:
    """Train a compiled model, from where the keeper's run stands to its last epoch.

    The record of an epoch holds ``epoch`` (from 1), Keras's own names for loss and metrics, the
    same with ``val_`` where there is validation, and ``seconds``.

    Raises:
        Stopped: where it was asked to stop; the position is kept.
        RunError: where the loss is no finite number any more.
    """
    model, told, training = engine.model, course.told, course.training
    fixed = training.steps_per_call
    rows = supply(model, course.feed, fixed if isinstance(fixed, int) else None)
    exam = Evaluation(engine, course.validation, told) if course.validation else None
    model.stop_training = False
    engine.build(sample(model, course.feed))
    told("on_train_begin")
    start = course.keeper.restore()
    course.watcher.training_started(course.keeper.history)
    logs: Logs = {}
    try:
        for epoch in range(start.epoch, training.epochs):
            if model.stop_training:
                break
            at = start if epoch == start.epoch else Position(epoch)
            logs = _epoch(engine, course, rows, exam, at)
    finally:
        course.keeper.keep_history()
    # Optimizers that average weights put the averages in place at the end.
    model.optimizer.finalize_variable_values(model.trainable_variables)
    told("on_train_end", logs)


def _epoch(
    engine: Engine, course: Course, rows: Supply, exam: Evaluation | None, at: Position
) -> Logs:
    started = time.perf_counter() - at.seconds
    epochs = course.training.epochs
    course.watcher.epoch_started(at.epoch + 1, epochs, course.feed.samples)
    logs = _train_epoch(engine, course, rows, at, started)
    logs |= course.tally(logs)
    if exam is not None:
        logs |= {f"val_{name}": value for name, value in exam().items()}
    course.told("on_epoch_end", at.epoch, logs)
    record = {"epoch": at.epoch + 1, **logs, "seconds": round(time.perf_counter() - started, 4)}
    asked = course.asked_to_stop()
    last = asked or engine.model.stop_training or at.epoch + 1 == epochs
    course.keeper.epoch_finished(finite(record), last=last)
    course.watcher.epoch_finished(record)
    if asked and at.epoch + 1 < epochs:
        raise Stopped
    return logs


def _train_epoch(
    engine: Engine, course: Course, rows: Supply, at: Position, started: float
) -> Logs:
    feed, told = course.feed, course.told
    if not at.samples:
        engine.reset()
        told("on_epoch_begin", at.epoch)
    done, logs = at.samples, engine.results() if at.samples else {}
    order = _order(course, at.epoch)[done:]
    for call in rows.calls(order):
        told("on_train_batch_begin", done // feed.batch_size)
        steps = engine.train(call)
        logs = engine.results()
        if not math.isfinite(logs["loss"]):
            raise RunError(_diverged(logs, at.epoch + 1, done // feed.batch_size + steps))
        done += call.samples
        told("on_train_batch_end", (done - 1) // feed.batch_size, logs)
        course.watcher.samples_done(done, logs)
        if why := course.complaint():
            raise RunError(f"{why}: step {(done - 1) // feed.batch_size + 1}, epoch {at.epoch + 1}")
        if engine.model.stop_training:
            break
        here = Position(at.epoch, done, time.perf_counter() - started)
        if done < feed.samples and course.asked_to_stop():
            course.keeper.keep(here)
            raise Stopped
        course.keeper.inside(here)
    return logs


def _order(course: Course, epoch: int) -> Any:
    if course.training.shuffle:
        return course.feed.order(course.training.seed, epoch)
    return np.arange(course.feed.samples, dtype=np.int32)


def _diverged(logs: Logs, epoch: int, step: int) -> str:
    heads = [
        name.removesuffix("_loss")
        for name, value in logs.items()
        if name.endswith("_loss") and not math.isfinite(value)
    ]
    whose = f" of output {', '.join(heads)}" if heads else ""
    return (
        f"the loss{whose} is {logs['loss']} after step {step} of epoch {epoch}; "
        "a smaller learning rate, scaled inputs or clipnorm in the optimizer may help"
    )


def finite(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as JSON can hold it: what is not a finite number becomes null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }

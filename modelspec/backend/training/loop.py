"""The loop over epochs: shuffled rows, validation, callbacks and history."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelspec.backend.training.batch_source import (
    BatchSource,
    StepChunk,
    make_batch_source,
    sample,
)
from modelspec.backend.training.callbacks import CallbackRunner
from modelspec.backend.training.checkpointer import Checkpointer
from modelspec.backend.training.checkpoints import Position
from modelspec.backend.training.empty_rows import empty_row_error
from modelspec.backend.training.engine import Engine
from modelspec.backend.training.evaluation import Evaluation, Logs
from modelspec.backend.training.lost_weights import require_finite_weights
from modelspec.data.batches import Batches
from modelspec.language.training import Training
from modelspec.problems.errors import RunError, StepError
from modelspec.runs.progress import Listener

_LONG_EPOCH = 0.1
"""Seconds of an epoch after which the weights are checked at once, not only at the end."""


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """Training ended between two steps, on request; everything is saved."""


@dataclass(frozen=True)
class FitContext:
    """The parts of a training besides the model: rows, settings, callbacks and checkpoints.

    ``asked_to_stop`` and ``find_change``, which returns why the run cannot continue, are called
    after every call of the engine. ``loss_shares`` adds to the logs of an epoch, and ``comparable``
    to those of validation. ``check_names`` is called with the names of the engine's results before
    the first epoch, and raises where a callback needs another name.
    """

    batches: Batches
    validation: Batches | None
    training: Training
    callbacks: CallbackRunner
    listener: Listener
    checkpointer: Checkpointer
    asked_to_stop: Callable[[], bool]
    find_change: Callable[[], str | None]
    loss_shares: Callable[[Logs], Logs]
    comparable: Callable[[Logs], Logs]
    check_names: Callable[[Sequence[str]], None]


def fit(engine: Engine, context: FitContext) -> None:
    """Train a compiled model, from the checkpointer's position to the last epoch.

    The record of an epoch has ``epoch`` (from 1), Keras's own names for loss and metrics, the same
    names with ``val_`` if there is validation, and ``seconds``.

    Raises:
        Stopped: A stop was requested; the position is saved.
        RunError: The loss is not finite any more.
    """
    model, callbacks, training = engine.model, context.callbacks, context.training
    fixed = training.steps_per_call
    source = make_batch_source(
        engine.body,
        context.batches,
        fixed if isinstance(fixed, int) else None,
        engine.workers,
    )
    evaluation = (
        Evaluation(engine, context.validation, callbacks, context.listener.warn)
        if context.validation
        else None
    )
    model.stop_training = False
    # Before the checkpoint is restored, which contains the metrics' variables too. Callbacks choose
    # by the metrics, so on_train_begin comes after, and what it resets is restored last.
    engine.build(sample(engine.body, context.batches))
    context.check_names(engine.names())
    start = callbacks.start(lambda: _require_inside(context.checkpointer.restore(), context))
    context.listener.training_started(context.checkpointer.history)
    logs: Logs = {}
    try:
        for epoch in range(start.epoch, training.epochs):
            if model.stop_training:
                break
            at = start if epoch == start.epoch else Position(epoch)
            logs = _epoch(engine, context, source, evaluation, at)
    finally:
        context.checkpointer.keep_history()
    # Optimizers that average weights replace the weights by the averages at the end.
    model.optimizer.finalize_variable_values(model.trainable_variables)
    callbacks("on_train_end", logs)


def _require_inside(position: Position, context: FitContext) -> Position:
    """Return the position, if it is within the rows and epochs of this run.

    Raises:
        RunError: It is not, for example because somebody changed the checkpoint.
    """
    batches, epochs, samples = context.batches, context.training.epochs, position.samples
    # At the end of an epoch's training the last batch may be short, and validation follows.
    whole = samples % batches.batch_size == 0 or samples == batches.samples
    if position.epoch > epochs or samples > batches.samples or not whole:
        raise RunError(
            f"the checkpoint was written after epoch {position.epoch:,} and {position.samples:,} "
            f"samples more, but training has {epochs:,} epochs of {batches.samples:,} samples"
        )
    return position


def _epoch(
    engine: Engine,
    context: FitContext,
    source: BatchSource,
    evaluation: Evaluation | None,
    at: Position,
) -> Logs:
    started = time.perf_counter() - at.seconds
    epochs = context.training.epochs
    context.listener.epoch_started(at.epoch + 1, epochs, context.batches.samples)
    logs = _train_epoch(engine, context, source, at, started)
    # The check takes 1 to 2 ms for a few layers, a tenth of the shortest epochs.
    checked = time.perf_counter() - started > _LONG_EPOCH
    if checked:
        require_finite_weights(engine.model, at.epoch + 1)
    # Shares are of the training losses, so they come before `val_` names join the logs. Callbacks
    # get both, and may stop training. The checkpoint follows, because it contains their state.
    logs |= context.loss_shares(logs)
    if evaluation is not None:
        validated = evaluation()
        validated |= context.comparable(validated)
        logs |= {f"val_{name}": value for name, value in validated.items()}
    logs |= context.callbacks.epoch_ended(at.epoch, logs)
    record = {"epoch": at.epoch + 1, **logs, "seconds": round(time.perf_counter() - started, 4)}
    asked = context.asked_to_stop()
    last = asked or engine.model.stop_training or at.epoch + 1 == epochs
    if last and not checked:
        require_finite_weights(engine.model, at.epoch + 1)
    context.checkpointer.epoch_finished(finite(record), last=last)
    context.listener.epoch_finished(record)
    if asked and at.epoch + 1 < epochs:
        raise Stopped
    return logs


def _train_epoch(
    engine: Engine, context: FitContext, source: BatchSource, at: Position, started: float
) -> Logs:
    batches, callbacks = context.batches, context.callbacks
    if not at.samples:
        engine.reset()
        callbacks("on_epoch_begin", at.epoch)
    done, logs = at.samples, engine.results() if at.samples else {}
    for chunk in source.chunks(_order(context, at.epoch), done):
        callbacks("on_train_batch_begin", done // batches.batch_size)
        steps = _steps(engine, batches, chunk)
        logs = engine.results()
        # Before the callbacks and the checkpoint, which must not get weights that are not finite.
        if not math.isfinite(logs["loss"]):
            message = _diverged(logs, at.epoch + 1, done // batches.batch_size + steps)
            raise _empty_row(engine, batches) or RunError(message)
        done += chunk.samples
        callbacks("on_train_batch_end", (done - 1) // batches.batch_size, logs)
        context.listener.samples_done(done, logs)
        if why := context.find_change():
            raise RunError(
                f"{why}: step {(done - 1) // batches.batch_size + 1}, epoch {at.epoch + 1}"
            )
        # An epoch that a callback ends is saved at its end, with its validation, not as a part.
        if engine.model.stop_training:
            break
        here = Position(at.epoch, done, time.perf_counter() - started)
        # After the last batch a request waits for the end of the epoch, which is near.
        if done < batches.samples and context.asked_to_stop():
            context.checkpointer.keep(here)
            raise Stopped
        context.checkpointer.inside(here)
    return logs


def _steps(engine: Engine, batches: Batches, chunk: StepChunk) -> int:
    """Run a chunk and return its steps; name an empty row where its NaN fails an optimizer."""
    try:
        return engine.train(chunk)
    except StepError as error:
        if error.in_optimizer and (cause := _empty_row(engine, batches)) is not None:
            raise cause from error
        raise


def _empty_row(engine: Engine, batches: Batches) -> StepError | None:
    return empty_row_error(engine.model, batches, getattr(engine.body, "tensors", ()))


def _order(context: FitContext, epoch: int) -> Any:
    if context.training.shuffle:
        return context.batches.order(context.training.seed, epoch)
    return np.arange(context.batches.samples, dtype=np.int32)


def _diverged(logs: Logs, epoch: int, step: int) -> str:
    heads = [
        name.removesuffix("_loss")
        for name, value in logs.items()
        if name.endswith("_loss") and not math.isfinite(value)
    ]
    of_outputs = f" of output {', '.join(heads)}" if heads else ""
    return (
        f"the loss{of_outputs} is {logs['loss']} after step {step} of epoch {epoch}; "
        "a smaller learning rate, scaled inputs or clipnorm in the optimizer may help"
    )


def finite(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as JSON data: numbers that are not finite become null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }

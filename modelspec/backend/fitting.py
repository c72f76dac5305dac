"""Epochs: shuffled rows through the engine, validation, callbacks and history."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelspec.backend.callbacks import Told
from modelspec.backend.checkpoints import restore
from modelspec.backend.engine import Engine
from modelspec.feed import BatchesPerPiece, Feed, Piece
from modelspec.spec import Training
from modelspec.watcher import Watcher

_CALL_SECONDS = 0.25


def fit(
    model: Any,
    feed: Feed,
    validation: Feed | None,
    training: Training,
    *,
    callbacks: Sequence[Any],
    watcher: Watcher,
    checkpoint: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """Train a compiled model, and yield one record for each finished epoch.

    With a ``checkpoint``, go on after the epochs that it has finished.

    A record holds ``epoch`` (from 1), Keras's own names for loss and metrics, the same with
    ``val_`` where there is validation, and ``seconds``.
    """
    epochs = training.epochs
    engine = Engine(model, jit=training.jit is True)
    told = Told(callbacks, model, epochs=epochs, steps=feed.steps)
    model.stop_training = False
    told("on_train_begin")
    logs: dict[str, float] = {}
    first = restore(checkpoint, model, callbacks) if checkpoint else 0
    for epoch in range(first, epochs):
        if model.stop_training:
            break
        started = time.perf_counter()
        watcher.epoch_started(epoch + 1, epochs, feed.samples)
        told("on_epoch_begin", epoch)
        order = feed.order(training.seed, epoch) if training.shuffle else feed.rows
        logs = _train_epoch(engine, feed, order, told, watcher)
        if validation is not None:
            results = evaluate(engine, validation, told)
            logs |= {f"val_{name}": value for name, value in results.items()}
        told("on_epoch_end", epoch, logs)
        record = {"epoch": epoch + 1, **logs, "seconds": round(time.perf_counter() - started, 3)}
        yield record
        # Told once it is kept, since what a person has read must not be lost.
        watcher.epoch_finished(record)
    # Optimizers that average weights put the averages in place at the end.
    model.optimizer.finalize_variable_values(model.trainable_variables)
    told("on_train_end", logs)


def _train_epoch(
    engine: Engine, feed: Feed, order: Any, told: Told, watcher: Watcher
) -> dict[str, float]:
    engine.model.reset_metrics()
    logs: dict[str, float] = {}
    done = 0
    for piece in _timed(feed, order):
        told("on_train_batch_begin", done // feed.batch_size)
        engine.train(piece, feed.batch_size)
        done += len(next(iter(piece.inputs.values())))
        logs = engine.results()
        told("on_train_batch_end", (done - 1) // feed.batch_size, logs)
        watcher.samples_done(done, logs)
        if engine.model.stop_training:
            break
    return logs


def _timed(feed: Feed, order: Any) -> Iterator[Piece]:
    """Pieces whose size follows the time they take, so that progress and Ctrl-C stay prompt."""
    batches = BatchesPerPiece()
    for piece in feed.pieces(order, batches):
        started = time.perf_counter()
        yield piece
        elapsed = max(time.perf_counter() - started, 1e-6)
        batches.count = max(
            1, min(2 * batches.count, round(batches.count * _CALL_SECONDS / elapsed))
        )


def evaluate(engine: Engine, feed: Feed, told: Told | None = None) -> dict[str, float]:
    """Loss and metrics over a feed, by Keras's own names."""
    tell = told or _nobody
    engine.model.reset_metrics()
    tell("on_test_begin")
    done = 0
    for piece in _timed(feed, feed.rows):
        tell("on_test_batch_begin", done // feed.batch_size)
        engine.test(piece, feed.batch_size)
        done += len(next(iter(piece.inputs.values())))
        tell("on_test_batch_end", (done - 1) // feed.batch_size, engine.results())
    results = engine.results()
    tell("on_test_end", results)
    return results


def _nobody(event: str, *given: Any) -> None:
    del event, given


def finite(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as JSON can hold it: what is not a finite number becomes null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }

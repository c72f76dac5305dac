"""Loss and metrics of a compiled model on a data set."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from modelspec.backend.keras_private import MissingPartError
from modelspec.backend.training.batch_source import make_batch_source
from modelspec.backend.training.engine import Engine
from modelspec.backend.training.eval_batch_size import eval_batch_size, is_batch_size_invariant
from modelspec.data.batches import Batches

Logs: TypeAlias = dict[str, float]
"""Values by Keras's own names."""


class Evaluation:
    """An evaluation that can be repeated, as after each epoch; its rows are prepared once.

    ``callbacks`` is called with the names of Keras's events, ``warn`` with reasons for slow
    evaluation.
    """

    def __init__(
        self,
        engine: Engine,
        batches: Batches,
        callbacks: Callable[..., None] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        model = engine.model
        size = _batch_size(model, batches.batch_size, warn)
        self._batches = replace(batches, batch_size=size)
        self._source = make_batch_source(engine.body, self._batches, workers=engine.workers)
        self._engine, self._callbacks = engine, callbacks or _nobody

    def __call__(self) -> Logs:
        """Return the current loss and metrics."""
        engine, size, done = self._engine, self._batches.batch_size, 0
        engine.reset()
        self._callbacks("on_test_begin")
        for chunk in self._source.chunks(np.arange(self._batches.samples, dtype=np.int32)):
            self._callbacks("on_test_batch_begin", done // size)
            engine.test(chunk)
            done += chunk.samples
            self._callbacks("on_test_batch_end", (done - 1) // size, {})
        results = engine.results()
        self._callbacks("on_test_end", results)
        return results


def _batch_size(model: Any, size: int, warn: Callable[[str], None] | None) -> int:
    """Return a larger batch size, if it certainly changes no result."""
    try:
        return eval_batch_size(model, size) if is_batch_size_invariant(model) else size
    except MissingPartError as error:
        (warn or _nobody)(f"{error}; evaluation uses batches of {size}")
        return size


def _nobody(event: str, *arguments: Any) -> None:
    del event, arguments

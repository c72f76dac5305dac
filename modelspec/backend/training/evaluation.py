"""Loss and metrics of a compiled model over a feed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from modelspec.backend.training.batch_source import supply
from modelspec.backend.training.engine import Engine
from modelspec.backend.training.eval_batch_size import adds_up, wide_batch
from modelspec.data.batches import Feed

Logs: TypeAlias = dict[str, float]
"""Values by Keras's own names."""


class Evaluation:
    """What can be called again and again, as after each epoch; its rows are made ready once.

    ``told`` hears of events by the names of Keras's callbacks.
    """

    def __init__(self, engine: Engine, feed: Feed, told: Callable[..., None] | None = None) -> None:
        model = engine.model
        wide = wide_batch(model, feed.batch_size) if adds_up(model) else feed.batch_size
        self._feed = replace(feed, batch_size=wide)
        self._rows = supply(model, self._feed)
        self._engine, self._tell = engine, told or _nobody

    def __call__(self) -> Logs:
        """Loss and metrics now."""
        engine, size, done = self._engine, self._feed.batch_size, 0
        engine.reset()
        self._tell("on_test_begin")
        for call in self._rows.calls(np.arange(self._feed.samples, dtype=np.int32)):
            self._tell("on_test_batch_begin", done // size)
            engine.test(call)
            done += call.samples
            self._tell("on_test_batch_end", (done - 1) // size, {})
        results = engine.results()
        self._tell("on_test_end", results)
        return results


def _nobody(event: str, *given: Any) -> None:
    del event, given

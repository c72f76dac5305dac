"""Many steps of a compiled Keras model in one call of a TensorFlow function.

``model.fit`` returns to Python for every batch. Here a call loops over the batches of a table of
row numbers, gathers their rows in the graph, and calls the model's own ``train_step`` or
``test_step``: the same arithmetic, without Python between steps.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from modelspec.backend.model.compiling import build_losses
from modelspec.backend.training.batch_source import StepChunk
from modelspec.backend.training.row_sums import fast_row_sums
from modelspec.backend.training.step_errors import run_step
from modelspec.backend.training.xla import Jit
from modelspec.backend.training.xla_random import as_without_xla
from modelspec.backend.training.xla_updates import fuse_updates
from modelspec.backend.workers.collectives import Collectives, naming_lost_worker
from modelspec.backend.workers.shared_model import SharedModel
from modelspec.backend.workers.split_model import SplitModel
from modelspec.backend.workers.step_cost import StepCost
from modelspec.data.concatenated import Array
from modelspec.problems.errors import StepError

Step = Callable[[Any], Mapping[str, Any]]
"""A step on a batch in the form of ``fit``; it returns the epoch's logs so far, with ``loss``."""

Walk = Callable[[Any, Any, Any, Any, Any], Any]

StepOfTotal = Callable[[Any, Any], Mapping[str, Any]]
"""A step on a batch, or on a share of it, and the number of rows of the whole batch."""


class Engine:
    """Steps of one compiled model. ``jit`` is the part of training that XLA compiles.

    ``step`` replaces the model's own ``train_step``. With a ``SharedModel``, each step computes
    only the rows of this worker, and has the results of all rows; with a ``SplitModel``, each
    device computes some rows. ``body`` is the part of the model that continues from precomputed
    values, which replace the inputs in batches. ``seed`` is for the random numbers that layers draw
    while they are traced. ``on_training_graph`` is called with the graph of training steps before
    the first step.
    """

    def __init__(
        self,
        model: Any,
        *,
        jit: Jit = "off",
        step: Step | None = None,
        shared: SharedModel | SplitModel | None = None,
        body: Any = None,
        seed: int = 0,
        on_training_graph: Callable[[Any], None] | None = None,
    ) -> None:
        # The same run must produce the same weights; by default TensorFlow sums the gradients of an
        # Embedding in the order in which its threads end.
        tf.config.experimental.enable_op_determinism()
        self.model, self.shared = model, shared
        self.body = model if body is None else body
        self._train = step or model.train_step
        self._test = model.test_step
        if body is not None:
            self._train = step or partial(type(model).train_step, body)
            self._test = partial(type(model).test_step, body)
        if jit == "optimizer":
            fuse_updates(model.optimizer)
        self._walks: dict[Any, Walk] = {}
        self._jit: Jit = "off" if jit == "optimizer" else jit
        self._seed, self._on_training_graph = seed, on_training_graph
        self._built = False
        self.cost = StepCost(self.workers)
        self._reset: Callable[[], None] = tf.function(model.reset_metrics, autograph=False)
        self._read: Callable[[], Any] = tf.function(model.get_metrics_result, autograph=False)

    @property
    def workers(self) -> Collectives | None:
        """The workers that share the batches, if there are several."""
        return self.shared.collectives if self.shared else None

    def build(self, data: Any) -> None:
        """Let Keras create its metrics' variables, which cannot be created inside a loop.

        As in ``fit``, on symbols, because a real step could change the state of layers. ``data`` is
        a batch in the form of ``fit``, of which only the types matter.
        """
        if not self._built:
            build_losses(self.body, data)
            self._built = True

    def train(self, chunk: StepChunk) -> int:
        """Update weights, optimizer and metrics, batch by batch; return the number of steps.

        Training ends at the first step whose loss is not finite.
        """
        # XLA compiles for one shape; the short last batch of an epoch is not worth another program.
        jit = self._jit if chunk.whole else "off"

        def steps() -> int:
            return int(self._run("train", self._train, chunk, jit))

        # The first call also traces the function, and the short last batch is not a typical step.
        return self.cost.measure(steps, counts=bool(self._walks) and chunk.whole)

    def test(self, chunk: StepChunk) -> None:
        """Update metrics only."""
        self._run("test", self._test, chunk, "off")

    def reset(self) -> None:
        """Reset loss and metrics."""
        if self._built:
            self._reset()

    def results(self) -> dict[str, float]:
        """Return loss and metrics since the last reset, by Keras's own names.

        A metric of several values, such as one for each class, is split into ``NAME_0``,
        ``NAME_1``, …. A single value has its metric's name, whatever its shape.
        """
        values = self._read().items()
        return dict(pair for name, value in values for pair in _numbers(name, np.asarray(value)))

    def names(self) -> list[str]:
        """Return the names of ``results``, known as soon as the losses and metrics are built."""
        read: Any = self._read
        outputs = read.get_concrete_function().structured_outputs.items()
        pairs = ((name, np.zeros(value.shape.as_list())) for name, value in outputs)
        return [key for name, zeros in pairs for key, _ in _numbers(name, zeros)]

    def _run(self, phase: str, step: Step, chunk: StepChunk, jit: Jit) -> Any:
        # Before the trace, because a variable that is created inside a loop belongs to the loop's
        # graph.
        self.build(chunk.data)
        specs = tf.nest.map_structure(_any_length, chunk.data)
        if jit in ("steps", "loops") and any(
            spec.dtype == tf.string for spec in tf.nest.flatten(specs)
        ):
            raise StepError("XLA cannot compile a step that takes text: write training.jit: auto")
        key = (phase, jit, chunk.is_share, tuple(tf.nest.flatten(specs)))
        way_out = "training.jit: false runs the step without XLA" if jit != "off" else ""
        with as_without_xla() if jit != "off" else nullcontext(), naming_lost_worker(self.workers):
            if key not in self._walks:
                trains = phase == "train"
                taken = (
                    _plain_step(step)
                    if self.shared is None
                    else _shared_step(step, self.shared, trains=trains, own=chunk.is_share)
                )
                walk = _walker(taken, specs, jit, guarded=trains)
                with fast_row_sums(use=jit == "off"):
                    self._trace(walk, str(key), way_out, trains=trains)
                self._walks[key] = walk
            walk = self._walks[key]
            return run_step(
                lambda: walk(chunk.data, chunk.rows, chunk.total, chunk.start, chunk.stop),
                self.model,
                way_out,
            )

    def _trace(self, walk: Any, key: str, way_out: str, *, trains: bool) -> None:
        """Trace the graph of a walk, which its first call then uses.

        AugMix draws with Python's generator while it is traced. A resumed run traces other walks
        before this one, so each has a seed of its own.
        """
        draws = random.getstate()
        random.seed(f"{self._seed} {key}")
        try:
            made = run_step(walk.get_concrete_function, self.model, way_out)
        finally:
            random.setstate(draws)
        if trains and self._on_training_graph is not None:
            self._on_training_graph(made.graph)


def _numbers(name: str, value: Array) -> Iterator[tuple[str, float]]:
    if value.size == 1:
        yield name, float(value.reshape(()))
    else:
        yield from (
            (f"{name}_{index}", float(number)) for index, number in enumerate(value.ravel())
        )


def _any_length(tensor: Any) -> Any:
    """Return a tensor's type with an unknown first axis, so that one trace fits all lengths."""
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def _plain_step(step: Step) -> StepOfTotal:
    return lambda batch, _: step(batch)


def _shared_step(
    step: Step, shared: SharedModel | SplitModel, *, trains: bool, own: bool
) -> StepOfTotal:
    """Return a step whose batch is shared; ``own`` batches have only this worker's rows."""
    return lambda batch, total: shared.take(step, batch, total, trains=trains, own=own)


def _walker(step: StepOfTotal, specs: Any, jit: Jit, *, guarded: bool) -> Walk:
    """Return a function of data, a table of its rows by step, a batch's rows, and two steps.

    It runs the steps from the first to before the second, and returns their number. A
    ``guarded`` function ends after a loss that is not finite.
    """
    number = tf.TensorSpec([], tf.int32)
    one = tf.function(step, jit_compile=True, reduce_retracing=True) if jit == "steps" else step

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[specs, tf.TensorSpec([None, None], tf.int32), number, number, number],
        autograph=False,
        jit_compile=jit == "loops",
    )
    def walk(data: Any, rows: Any, total: Any, start: Any, stop: Any) -> Any:
        def body(at: Any, fine: Any) -> tuple[Any, Any]:
            batch = tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows[at]), data)
            logs = one(batch, total)
            if not guarded:
                return at + 1, fine
            # The step has already changed the weights, so the loop ends after it, not before.
            return at + 1, tf.math.is_finite(logs["loss"])

        def more(at: Any, fine: Any) -> Any:
            return tf.logical_and(at < stop, fine)

        # Steps run one after the other, because each reads the weights that the last one wrote.
        last, _ = tf.while_loop(more, body, [start, True], parallel_iterations=1)
        return last - start

    walker: Walk = walk
    return walker

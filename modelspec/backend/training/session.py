"""One training of a built model in the folder of a run, from its callbacks to its saved weights."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras

from modelspec.backend.keras_private import unseeded_draws
from modelspec.backend.loss_weights.factory import Strategy, make_strategy
from modelspec.backend.model.saved_arguments import save_vocabularies
from modelspec.backend.model.saving import write_model
from modelspec.backend.training.adapting import adapt_layers, adapted_layers, counts_of_ids
from modelspec.backend.training.callback_files import saving_whole
from modelspec.backend.training.callbacks import (
    CallbackRunner,
    check_monitors,
    idle,
    make_callbacks,
    tensorboard,
)
from modelspec.backend.training.checkpointer import Checkpointer
from modelspec.backend.training.checkpoints import State
from modelspec.backend.training.ending import end_reason, model_epoch
from modelspec.backend.training.engine import Engine
from modelspec.backend.training.fitted_values import load_fitted, save_fitted
from modelspec.backend.training.frozen_values import precomputed
from modelspec.backend.training.loop import FitContext, Stopped, fit
from modelspec.backend.training.loss_shares import LossShares
from modelspec.backend.training.precompute import Parts, split
from modelspec.backend.training.sharing import share_batches, sum_of_strategy
from modelspec.backend.training.unkept_state import (
    warn_of_unkept_operations,
    warn_of_unkept_parts,
)
from modelspec.backend.training.xla import extent
from modelspec.backend.workers.collectives import Collectives
from modelspec.backend.workers.hang_watch import watching_for_hangs
from modelspec.backend.workers.step_cost import cost_text
from modelspec.data.batches import Batches, Phases
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.places import place_all
from modelspec.problems.errors import RunError, SpecError
from modelspec.results.balance import AT_1, at_weights_of_1
from modelspec.runs.layout import FITTED, MODEL
from modelspec.runs.surroundings import Surroundings
from modelspec.storage.atomic import replacing


def run_session(
    model: Any,
    valid: ValidSpec,
    phases: Phases,
    surroundings: Surroundings,
    *,
    workers: Collectives | None = None,
    devices: Sequence[str] = (),
) -> None:
    """Train a compiled model on the rows of ``phases``, and save it to the run's folder.

    With ``workers``, this process computes its share of every batch; several ``devices`` of this
    process each compute a share.

    Raises:
        KeyboardInterrupt: A stop was requested; the state is saved.
        RunError: The data changed, or the loss is not finite.
    """
    training = valid.spec.training
    assert training.jit != "auto"
    _fit_layers(model, valid, phases, surroundings)
    strategy = make_strategy(model, valid)
    parts = split(model) if training.precompute is True else None
    if parts is not None:
        phases = _precomputed(parts, phases, surroundings)
        if strategy:
            strategy.forward = parts.rest
    context = _context(model, valid, strategy, phases, surroundings, workers=workers)
    shared = share_batches(model, workers, devices, surroundings.listener.warn)
    sum_of_strategy(strategy, shared)
    step = strategy.train_step if strategy else None
    jit = extent(model, jit=training.jit)
    body = parts.rest if parts is not None else None
    engine = Engine(
        model,
        jit=jit,
        step=step,
        shared=shared,
        body=body,
        seed=training.seed,
        on_training_graph=partial(warn_of_unkept_operations, valid, model, surroundings.listener),
    )
    try:
        with saving_whole(model), watching_for_hangs(workers):
            fit(engine, context)
    except Stopped:
        raise KeyboardInterrupt from None
    finally:
        if shared:
            shared.restore()
    if strategy:
        strategy.finish()
    _finish(model, engine, context, surroundings)


def _finish(model: Any, engine: Engine, context: FitContext, surroundings: Surroundings) -> None:
    """Write the model, and record why training ended and how long it took."""
    run = surroundings.run
    with replacing(run.path / MODEL, follow=False) as aside:
        write_model(model, aside)
    if cost := engine.cost.record():
        surroundings.listener.note(cost_text(cost))
        run.update(communication=cost)
    callbacks, done = context.callbacks.callbacks, len(run.history)
    run.update(
        end_reason=end_reason(callbacks, done, context.training.epochs),
        model_epoch=model_epoch(callbacks, done),
    )


def _precomputed(parts: Parts, phases: Phases, surroundings: Surroundings) -> Phases:
    """Replace inputs by the values of the frozen layers."""
    surroundings.listener.note("computing the frozen layers once (training.precompute)")

    def values(batches: Batches) -> Batches:
        return precomputed(parts, batches, surroundings.listener.note, surroundings.asked_to_stop)

    held = phases.validation
    trained = values(phases.training)
    if held is None:
        return Phases(trained, None)
    if held.dataset is not phases.training.dataset:
        return Phases(trained, values(held))
    return Phases(trained, replace(held, dataset=trained.dataset, dtypes=trained.dtypes))


def _fit_layers(model: Any, valid: ValidSpec, phases: Phases, surroundings: Surroundings) -> None:
    """Fit the layers with ``adapt: true``, or load the values to which the run fitted them.

    Raises:
        KeyboardInterrupt: A stop was requested; nothing is saved; a resumed run fits them again.
        SpecError: A layer looks up fewer ids than a fitted layer gives.
    """
    layers, path = adapted_layers(model, valid.graph), surroundings.run.path / FITTED
    if path.exists() and layers:
        load_fitted(path, layers)
    elif layers:
        _adapt_layers(model, valid, phases, surroundings)
        surroundings.check_ids(counts_of_ids(layers))
        save_fitted(path, layers)
    save_vocabularies(layers)


def _adapt_layers(model: Any, valid: ValidSpec, phases: Phases, surroundings: Surroundings) -> None:
    listener = surroundings.listener
    done = adapt_layers(
        model,
        valid.graph,
        phases.training,
        say=listener.note,
        warn=listener.warn,
        asked_to_stop=surroundings.asked_to_stop,
    )
    if not done:
        raise KeyboardInterrupt
    if change := surroundings.find_change():
        raise RunError(f"{change}: before the first step")


def _context(
    model: Any,
    valid: ValidSpec,
    strategy: Strategy | None,
    phases: Phases,
    surroundings: Surroundings,
    *,
    workers: Collectives | None,
) -> FitContext:
    run, listener, training = surroundings.run, surroundings.listener, valid.spec.training
    callbacks = make_callbacks(valid.catalog, training.callbacks, run.path)
    if phases.validation is None:
        for warning in idle(callbacks):
            listener.warn(warning)
    warn_of_unkept_parts(valid, model, callbacks, listener)
    extra = list(strategy.variables if strategy else ())
    if valid.catalog.plugins:
        # The generator belongs to the process: an earlier run in it must not change this one.
        draws = unseeded_draws().state
        draws.assign(keras.random.SeedGenerator(training.seed).state)
        extra.append(draws)
    state = State(model, callbacks, extra)
    # TensorBoard's callback has no state of its own, and so is not in checkpoints.
    called = [*callbacks, *([tensorboard(run.path)] if surroundings.tensorboard else [])]
    return FitContext(
        phases.training,
        phases.validation,
        training,
        CallbackRunner(called, model, epochs=training.epochs, steps=phases.training.steps),
        listener,
        Checkpointer(
            run,
            state,
            surroundings.checkpoint_seconds,
            listener.warn,
            writes=workers is None or workers.index == 0,
        ),
        asked_to_stop=_agreed(surroundings.asked_to_stop, workers),
        find_change=surroundings.find_change,
        comparable=partial(at_weights_of_1, outputs=strategy.weights() if strategy else ()),
        check_names=partial(_check_names, valid, callbacks, strategy),
        loss_shares=LossShares(valid.heads, strategy.weights if strategy else None, listener.warn),
    )


def _agreed(asked: Callable[[], bool], workers: Collectives | None) -> Callable[[], bool]:
    """Return a function that is True where any worker has a stop request, equal on all workers."""
    if workers is None:
        return asked
    return lambda: bool(workers.highest(int(asked()))[0])


def _check_names(
    valid: ValidSpec, callbacks: Sequence[Any], strategy: Strategy | None, names: Sequence[str]
) -> None:
    """Compare the callbacks' monitors with the names in the logs of epochs.

    Raises:
        SpecError: A monitor is not among the names.
    """
    outputs = [head.output for head in valid.heads if head.loss is not None]
    known = [*names]
    if len(outputs) > 1:
        known += [f"{output}_share" for output in outputs]
    known += [AT_1, *(f"{output}_weight" for output in outputs)] if strategy else []
    problems = check_monitors(valid.spec.training.callbacks, callbacks, known)
    if problems:
        raise SpecError(place_all(problems, valid.document))

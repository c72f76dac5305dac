"""The decisions for ``auto``, made once, so that the spec of a run repeats them."""

from typing import Any

from modelspec.api.model_spec import ModelSpec
from modelspec.api.workers import for_shares
from modelspec.data.batches import Batches
from modelspec.runs.progress import Listener


def with_decisions(
    source: ModelSpec, model: Any, batches: Batches, listener: Listener, *, sharing: str
) -> ModelSpec:
    """Return the spec with ``jit`` and ``precompute`` decided.

    ``sharing`` says who shares each batch, ``workers`` or ``devices``; empty for one process.
    """
    if sharing:
        source = for_shares(source, listener, sharing)
    return _with_precompute(_with_jit(source, model, batches, listener), model, listener)


def _with_jit(source: ModelSpec, model: Any, batches: Batches, listener: Listener) -> ModelSpec:
    """Return the spec with ``jit`` decided, so that the spec of the run repeats it."""
    from modelspec.backend.training.xla import choose, find_obstacle

    training = source.require().spec.training
    obstacle = find_obstacle(model)
    if training.jit is True and obstacle:
        listener.warn(f"{obstacle}; training.jit: false avoids this")
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


def _with_precompute(source: ModelSpec, model: Any, listener: Listener) -> ModelSpec:
    """Return the spec with ``precompute`` decided, so that the spec of the run repeats it."""
    from modelspec.backend.training.precompute import pays, split

    training = source.require().spec.training
    if training.precompute is True and split(model) is None:
        listener.warn(
            "training.precompute: true changes nothing: no layer at the beginning of the model "
            "gives the same values in every epoch (a layer with trained weights, randomness, "
            "changing state or a loss of its own does not)"
        )
    if training.precompute != "auto":
        return source
    # XLA compiles no text, so what turns it into numbers cannot be part of a step.
    texts = any(entry.dtype == "string" for entry in source.require().graph.inputs.values())
    needed = training.jit is True and texts
    return source.with_training(precompute=pays(model, training.epochs, needed=needed))

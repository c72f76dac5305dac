"""The change of a model whose batches are shared, among workers or among devices."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from modelspec.backend.keras_private import all_layers
from modelspec.backend.loss_weights.factory import Strategy
from modelspec.backend.model.operations import inner_operations
from modelspec.backend.training.eval_batch_size import is_own, mixes_samples
from modelspec.backend.workers.collectives import Collectives
from modelspec.backend.workers.shared_model import SharedModel
from modelspec.backend.workers.split_model import SplitModel
from modelspec.problems.errors import RunError

_MIXING = (keras.layers.CutMix, keras.layers.MixUp)
"""Layers that combine samples of a batch, although their outputs do not show it."""


def share_batches(
    model: Any, workers: Collectives | None, devices: Sequence[str], warn: Callable[[str], None]
) -> SharedModel | SplitModel | None:
    """Make a compiled model share its batches; None where one device computes them whole.

    Args:
        model: The model, which is changed until ``restore`` of the result.
        workers: The processes that share, if there are several.
        devices: The devices of this process that share, if there are several.
        warn: A function for reasons why the numbers differ from those of one process.

    Raises:
        RunError: A layer computes different values for a part of a batch than for the whole.
    """
    if workers is None and not devices:
        return None
    who = "worker" if workers is not None else "device"
    require_single_samples(model, who)
    shared = SharedModel(model, workers) if workers is not None else SplitModel(model, devices)
    if shared.own_statistics:
        warn(
            f"{', '.join(shared.own_statistics)}: each {who} normalizes its rows by the statistics "
            "of these rows alone; synchronized: true uses those of the whole batch, as one "
            "process does"
        )
    own = [layer.name for layer in all_layers(model) if is_own(layer)]
    if own:
        warn(
            f"{', '.join(own)}: each {who} computes the rows of its part of a batch; layers of "
            "plugins must compute each sample by itself, and add means over samples to the loss"
        )
    return shared


def share_evaluation(model: Any, workers: Collectives | None) -> SharedModel | None:
    """Make a model that is not trained share its batches among workers; None without workers.

    Raises:
        RunError: A layer computes different values for a part of a batch than for the whole.
    """
    if workers is None:
        return None
    require_single_samples(model, "worker", trains=False)
    return SharedModel(model, workers)


def sum_of_strategy(strategy: Strategy | None, shared: SharedModel | SplitModel | None) -> None:
    """Make a strategy sum its gradients over the workers."""
    if strategy is not None and isinstance(shared, SharedModel):
        strategy.total_gradients = shared.total_gradients


def require_single_samples(model: Any, who: str, *, trains: bool = True) -> None:
    """Refuse a model whose outputs for a sample depend on the other samples of a batch.

    Raises:
        RunError: A layer combines samples.
    """
    operations = [*all_layers(model), *inner_operations(model)]
    names = dict.fromkeys(
        operation.name
        for operation in operations
        if (trains and isinstance(operation, _MIXING))
        or (not isinstance(operation, keras.layers.InputLayer) and mixes_samples(operation))
    )
    if names:
        raise RunError(
            f"{', '.join(names)}: combines the samples of a batch, but each {who} would have only "
            f"a part of them: use a single {'process' if who == 'worker' else 'device'}"
        )

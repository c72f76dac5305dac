"""The learning rate of each epoch, as the optimizer of a spec sets it."""

from collections.abc import Mapping, Sequence

import numpy as np

from modelspec.backend.model.objects import make
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.training import GroupedRows, LastRows
from modelspec.language.written import Written


def rates(valid: ValidSpec, samples: int, epochs: Sequence[int]) -> dict[int, float]:
    """Return the rate at the last step of each epoch, counted from 1, of a run on ``samples``."""
    training = valid.spec.training
    written = Written.read(valid.spec.optimizer)
    while written is not None and "inner_optimizer" in written.arguments:
        written = Written.read(written.arguments["inner_optimizer"])
    schedule = written.arguments.get("learning_rate") if written else None
    if not isinstance(schedule, Mapping):
        optimizer = make(valid.catalog, "optimizer", valid.spec.optimizer)
        return dict.fromkeys(epochs, float(np.asarray(optimizer.learning_rate)))
    rate = make(valid.catalog, "schedule", schedule)
    split = training.validation_split
    match split:
        case LastRows():
            held = split.last
        case GroupedRows():
            held = split.fraction
        case _:
            held = split
    rows = samples - round(samples * held)
    steps = -(-rows // training.batch_size)
    return {epoch: float(np.asarray(rate(max(epoch * steps - 1, 0)))) for epoch in epochs}

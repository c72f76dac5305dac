"""Checks of numbers of samples and steps against the number of samples in the data."""

import math
from collections.abc import Iterator

from modelspec.data.validation_split import held_out
from modelspec.language.spec import Spec
from modelspec.language.training import Split
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic

_ROUTE = ("training", "validation_split")
_ACCUMULATED = "gradient_accumulation_steps"


def check_split(split: Split, samples: int) -> Iterator[Diagnostic]:
    """Report a split that leaves no sample for training, or none for validation."""
    held = held_out(split, samples)
    if split and held >= samples:
        message = f"validation_split leaves none of the {samples:,} samples for training"
        yield Diagnostic("no-samples", message, _ROUTE)
    elif split and not held:
        message = f"validation_split selects none of the {samples:,} samples for validation"
        yield Diagnostic("no-samples", message, _ROUTE, severity="warning")


def check_accumulation(spec: Spec, samples: int) -> Iterator[Diagnostic]:
    """Warn of an optimizer that gathers gradients for more steps than the training has."""
    training = spec.training
    rows = samples - held_out(training.validation_split, samples)
    steps = training.epochs * math.ceil(rows / training.batch_size)
    written = Written.read(spec.optimizer, ("optimizer",))
    gathered = written.arguments.get(_ACCUMULATED) if written else None
    if written is not None and isinstance(gathered, int) and gathered > steps:
        message = (
            f"the training has {steps:,} steps, fewer than {_ACCUMULATED}: "
            "no weight is ever updated"
        )
        route = (*written.route, _ACCUMULATED)
        yield Diagnostic("wrong-value", message, route, severity="warning")

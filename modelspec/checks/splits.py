"""Checks of ``validation_split`` against the number of samples."""

from collections.abc import Iterator

from modelspec.data.validation_split import held_out
from modelspec.language.training import Split
from modelspec.problems.diagnostic import Diagnostic

_ROUTE = ("training", "validation_split")


def check_split(split: Split, samples: int) -> Iterator[Diagnostic]:
    """Report a split that leaves no sample for training, or none for validation."""
    held = held_out(split, samples)
    if split and held >= samples:
        message = f"validation_split leaves none of the {samples:,} samples for training"
        yield Diagnostic("no-samples", message, _ROUTE)
    elif split and not held:
        message = f"validation_split selects none of the {samples:,} samples for validation"
        yield Diagnostic("no-samples", message, _ROUTE, severity="warning")

"""Checks of numbers of samples and steps against the number of samples in the data."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from modelspec.data.classes import ids_of
from modelspec.data.dataset import Dataset
from modelspec.data.validation_split import ValidationSplit, held_out, split_validation
from modelspec.graph.heads import Head
from modelspec.language.spec import Spec
from modelspec.language.training import GroupedRows
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic

_ROUTE = ("training", "validation_split")
_LARGE = "groups stay whole, and these are too large for the fraction"
_ACCUMULATED = "gradient_accumulation_steps"


def check_split(spec: Spec, heads: Sequence[Head], dataset: Dataset) -> Iterator[Diagnostic]:
    """Report a split that leaves no sample or class for training, or no sample for validation."""
    split, samples = spec.training.validation_split, dataset.samples
    held, hint = held_out(split, samples), None
    drawn = _groups_fit(dataset) if isinstance(split, GroupedRows) else bool(dataset.classes)
    if drawn and 0 < held < samples:
        parts = split_validation(dataset, heads, split, spec.training.seed)
        held = len(parts.held)
        hint = _LARGE if isinstance(split, GroupedRows) else None
        yield from untrained_classes(dataset, parts) if held < samples else ()
    if split and held >= samples:
        message = f"validation_split leaves none of the {samples:,} samples for training"
        yield Diagnostic("no-samples", message, _ROUTE, hint=hint)
    elif split and not held:
        message = f"validation_split selects none of the {samples:,} samples for validation"
        yield Diagnostic("no-samples", message, _ROUTE, severity="warning", hint=hint)


def untrained_classes(dataset: Dataset, parts: ValidationSplit) -> Iterator[Diagnostic]:
    """Report classes that occur only in rows for validation, unless the spec lists them."""
    for name, classes in dataset.classes.items():
        if name not in dataset.unlisted:
            continue
        counts = np.bincount(ids_of(dataset.targets[name])[parts.rows], minlength=len(classes))
        missing = [str(classes[at]) for at in np.flatnonzero(counts == 0)]
        if missing:
            listed = ", ".join(map(str, classes))
            message = f"no training row of {name} has the class {', '.join(missing)}"
            hint = f"list the classes: classes: [{listed}]"
            yield Diagnostic("unknown-class", message, ("data", name), hint=hint)


def _groups_fit(dataset: Dataset) -> bool:
    """Return True where there is one group for each sample; other groups are an error already."""
    groups = dataset.groups
    return (
        groups is not None
        and groups.dtype.kind in "biufUS"
        and (len(groups) == groups.size == dataset.samples)
    )


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

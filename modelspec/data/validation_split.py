"""Rows for validation, selected by ``validation_split`` and the seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelspec.catalog.losses import Head, loss_facts
from modelspec.data.arrays import row_blocks
from modelspec.data.concatenated import Array, Column, Rows
from modelspec.data.dataset import Dataset
from modelspec.language.training import GroupedRows, LastRows, Split

_BLOCK = 256 << 10


@dataclass(frozen=True, slots=True)
class ValidationSplit:
    """``rows`` to train on and ``held`` ones to validate on, both in ascending order.

    ``phrase`` describes the split for users; it is empty where no rows are held out.
    """

    rows: Rows
    held: Rows
    phrase: str


def split_validation(
    dataset: Dataset, heads: Sequence[Head], split: Split, seed: int
) -> ValidationSplit:
    """Hold out a share of the samples: the last ones, whole groups, or random ones.

    Keras would always take the last rows, unshuffled. Where the first output that is trained to
    tell classes has two or more samples of each class, random samples keep the share of every class
    as nearly as whole samples allow.
    """
    samples = dataset.samples
    count = held_out(split, samples)
    # Half the memory where that is enough, and the same random rows.
    small = samples <= np.iinfo(np.int32).max
    rows: Rows = np.arange(samples, dtype=np.int32) if small else np.arange(samples, dtype=np.int64)
    if not count:
        return ValidationSplit(rows, rows[:0], "")
    phrase = f"{count:,} of {samples:,} samples used for validation"
    if isinstance(split, LastRows):
        return ValidationSplit(
            rows[: samples - count], rows[samples - count :], phrase + ", the last"
        )
    if isinstance(split, GroupedRows):
        return _by_groups(dataset, rows, count, seed)
    drawn = np.random.default_rng([seed, samples]).permutation(rows)
    chosen = rows < count
    for head in heads:
        classes = _classes(head, dataset.targets.get(head.output))
        if classes is not None:
            chosen = _shares(classes[drawn], count)
            phrase += f", stratified by {head.output}"
            break
    return ValidationSplit(np.sort(drawn[~chosen]), np.sort(drawn[chosen]), phrase)


def held_out(split: Split, samples: int) -> int:
    """Return the number of samples that a split holds out; with whole groups, approximately."""
    return round(samples * _share(split))


def _share(split: Split) -> float:
    match split:
        case LastRows():
            return split.last
        case GroupedRows():
            return split.fraction
    return split


def _by_groups(dataset: Dataset, rows: Rows, count: int, seed: int) -> ValidationSplit:
    """Hold out random whole groups until they have ``count`` samples, as nearly as possible."""
    assert dataset.groups is not None
    names, groups, sizes = np.unique(
        np.asarray(dataset.groups[:]), return_inverse=True, return_counts=True
    )
    order = np.random.default_rng([seed, len(rows)]).permutation(len(names))
    held = np.zeros(len(names), np.bool_)
    total = 0
    for group in order:
        if abs(total + sizes[group] - count) < abs(total - count):
            held[group] = True
            total += int(sizes[group])
    chosen = held[groups.reshape(-1)]
    phrase = (
        f"{total:,} of {len(rows):,} samples used for validation: "
        f"{int(held.sum()):,} of {len(names):,} groups"
    )
    return ValidationSplit(rows[~chosen], rows[chosen], phrase)


def _shares(classes: Array, count: int) -> Array:
    """Mark ``count`` samples, the first of each class, in proportion to the classes' sizes."""
    sizes = np.bincount(classes)
    quotas, remainders = np.divmod(sizes * count, len(classes))
    # The rest after rounding down goes to the largest remainders; of equal ones, the lower class.
    quotas[np.argsort(-remainders, kind="stable")[: count - quotas.sum()]] += 1
    chosen = np.zeros(len(classes), np.bool_)
    order = np.argsort(classes, kind="stable")
    for start, quota in zip(np.cumsum(sizes) - sizes, quotas, strict=True):
        chosen[order[start : start + quota]] = True
    return chosen


def _classes(head: Head, target: Column | None) -> Array | None:
    """Return the class of each sample, counted from 0 without gaps; None without classes.

    The type is the smallest one that suffices, because there is one value for each sample.
    """
    if target is None or not len(target):
        return None
    facts = loss_facts(head.loss, target.shape[1:])
    family = facts.targets if facts else None
    known, sizes = np.empty(0, np.int64), np.empty(0, np.int64)
    for rows in row_blocks(target, _BLOCK):
        ids = _ids(family, rows)
        if ids is None or 2 * len(known) > len(target):
            return None
        counts = np.concatenate([sizes, np.ones(len(ids), np.int64)])
        known, at = np.unique(np.concatenate([known, ids]), return_inverse=True)
        sizes = np.bincount(at, counts)
    if sizes.min() < 2:  # noqa: PLR2004 - one to train on, one to hold out
        return None
    smallest = np.min_scalar_type(len(known))
    blocks = (_ids(family, rows) for rows in row_blocks(target, _BLOCK))
    return np.concatenate(
        [np.searchsorted(known, ids).astype(smallest) for ids in blocks if ids is not None]
    )


def _ids(family: str | None, rows: Array) -> Rows | None:
    """Return class ids of some rows of a target; None where a sample has several or none."""
    if rows.size == len(rows) and family in ("ids", "one-hot", "binary"):
        classes = rows.reshape(-1)
    elif family == "one-hot" and rows.ndim == 2 and rows.max() <= 1:  # noqa: PLR2004
        classes = rows.argmax(-1)
    else:
        return None
    ids = classes.astype(np.int64)
    return ids if np.array_equal(ids, classes) else None

"""Batches of a data set's rows, shuffled for training or in order for inference."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from modelspec.data.arrays import scan
from modelspec.data.concatenated import Array, Column, Rows
from modelspec.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of every array, by the spec's names."""

    inputs: Mapping[str, Array]
    targets: Mapping[str, Array]
    weights: Mapping[str, Array]


@dataclass(frozen=True)
class Batches:
    """The rows of a dataset that a phase uses, in batches.

    ``dtypes`` are the declared dtypes of the inputs. ``class_weights`` multiply the per-sample
    weights: by output, then by class (an id, or the position of the one in one-hot targets).
    ``of_ids`` are the outputs whose loss takes ids; for other outputs the values decide.
    """

    dataset: Dataset
    rows: Rows
    batch_size: int
    dtypes: Mapping[str, str]
    class_weights: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    of_ids: frozenset[str] = frozenset()

    @property
    def samples(self) -> int:
        return len(self.rows)

    @property
    def steps(self) -> int:
        """The number of batches in an epoch, including a last short one."""
        return -(-self.samples // self.batch_size)

    @property
    def row_bytes(self) -> int:
        """The bytes of one sample as it is stored."""
        data = self.dataset
        arrays = [*data.inputs.values(), *data.targets.values(), *data.weights.values()]
        return sum(array.nbytes // max(len(array), 1) for array in arrays)

    def order(self, seed: int, epoch: int) -> Rows:
        """Shuffle the positions for an epoch; the same seed and epoch give the same order."""
        positions = np.arange(self.samples, dtype=np.int32)
        return np.random.default_rng([seed, epoch]).permutation(positions)

    def in_order(self, order: Rows) -> Iterator[Batch]:
        """Yield the batches; ``order`` contains positions in ``rows``; the last may be short."""
        for start in range(0, len(order), self.batch_size):
            yield self.gather(order[start : start + self.batch_size])

    def gather(self, positions: Rows) -> Batch:
        """Return the samples at some positions in ``rows``."""
        data, rows = self.dataset, self.rows[positions]
        inputs = {
            name: _rows(array, rows).astype(_numpy_dtype(self.dtypes[name], array), copy=False)
            for name, array in data.inputs.items()
        }
        targets = {name: _single(_rows(array, rows)) for name, array in data.targets.items()}
        return Batch(inputs, targets, self._weights(targets, rows))

    def _weights(self, targets: Mapping[str, Array], rows: Rows) -> dict[str, Array]:
        """Return the weights of samples, or of their steps, for the outputs that have weights."""
        weights = {
            name: _rows(stored, rows).astype(np.float32, copy=False)
            for name, stored in self.dataset.weights.items()
            if name in targets
        }
        for name in self.class_weights.keys() & targets.keys():
            by_class = _by_class(self._classes(name, targets[name]), self.class_weights[name])
            weights[name] = _product(weights[name], by_class) if name in weights else by_class
        return weights

    def _classes(self, name: str, target: Array) -> Array:
        """Return class ids: of the samples, or of the steps of sequences."""
        if target.ndim > 1 and target.shape[-1] == 1:
            return target[..., 0]
        if target.ndim == 1 or name in self._ids_by_step:
            return target
        classes: Array = target.argmax(-1)
        return classes

    @cached_property
    def _ids_by_step(self) -> frozenset[str]:
        """Targets whose last axis has ids of steps: one-hot rows never exceed 1."""
        targets = self.dataset.targets.items()
        whole = ((name, target) for name, target in targets if target.dtype.kind in "iu")
        return self.of_ids | {name for name, target in whole if (scan(target).high or 0) > 1}


TensorType = tuple[tuple[int, ...], str]
"""The shape of a sample, without the batch, and the dtype."""


def sample_types(
    dataset: Dataset,
    outputs: Collection[str],
    class_weights: Mapping[str, Mapping[int, float]],
    of_ids: frozenset[str] = frozenset(),
) -> tuple[dict[str, TensorType], dict[str, TensorType]]:
    """Return the types of the targets and of the weights of some outputs, as training gets them."""
    targets = {name: array for name, array in dataset.targets.items() if name in outputs}
    judged = replace(dataset, inputs={}, targets=targets)
    first = np.zeros(1, np.int64)
    batch = Batches(judged, first, 1, {}, class_weights, of_ids).gather(first)
    return _types(batch.targets), _types(batch.weights)


def _types(arrays: Mapping[str, Array]) -> dict[str, TensorType]:
    return {name: (array.shape[1:], array.dtype.name) for name, array in arrays.items()}


@dataclass(frozen=True, slots=True)
class Phases:
    """The rows for training, and those for validation, if there are any."""

    training: Batches
    validation: Batches | None


def _rows(array: Column, rows: Rows) -> Array:
    """Return rows of an array; a slice, without a copy, where they are consecutive."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and bool(np.all(np.diff(rows) == 1)):
        return array[rows[0] : rows[-1] + 1]
    return array[rows]


def _single(array: Array) -> Array:
    """Convert floating-point targets to Keras's ``floatx``; other kinds stay unchanged."""
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def _numpy_dtype(declared: str, array: Column) -> Any:
    """Return the dtype to convert to; Keras casts bfloat16, and text is not converted."""
    if declared == "string":
        return array.dtype if array.dtype.kind == "O" else np.dtype(object)
    return np.dtype("float32" if declared == "bfloat16" else declared)


def _product(by_sample: Array, by_class: Array) -> Array:
    """Multiply weights, where one side may be by sample and the other by step."""
    if by_sample.ndim > by_class.ndim:
        return by_sample.reshape(by_class.shape) * by_class
    more = by_class.ndim - by_sample.ndim
    return by_sample.reshape(by_sample.shape + (1,) * more) * by_class


def _by_class(classes: Array, weights: Mapping[int, float]) -> Array:
    classes = classes.round()
    table = np.ones(int(classes.max(initial=0)) + 1, np.float32)
    for name, weight in weights.items():
        if name < len(table):
            table[name] = weight
    # An id below 0, such as that of ``ignore_class``, has no class weight.
    return np.where(classes < 0, np.float32(1), table[np.maximum(classes, 0).astype(np.int64)])

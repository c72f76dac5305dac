"""The rows of an export: those that prove a file, and those that give the ranges of integers."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelspec.api.inference_data import Warn, inference_batches, read_dataset
from modelspec.api.spec_data import trained_outputs
from modelspec.api.target import Target
from modelspec.data.batches import Batches
from modelspec.data.dataset import Dataset
from modelspec.data.shards import Data, Say
from modelspec.problems.errors import ModelError

_ROWS, _BYTES, _MADE_ROWS, _REPRESENTATIVES = 10_000, 256 * 2**20, 8, 200


@dataclass(frozen=True, slots=True)
class ExportRows:
    """The rows of a proof; ``judged`` says whether they have targets."""

    batches: Batches
    from_data: bool
    judged: bool

    @classmethod
    def of(
        cls, target: Target, model: Any, data: Data | None, say: Say | None, warn: Warn | None
    ) -> "ExportRows":
        """Return the first rows of the data; without data, random ones that fit the inputs."""
        if data is None:
            return cls._made(target, model)
        return cls._read(target, model, data, say, warn)

    @classmethod
    def _read(
        cls, target: Target, model: Any, data: Data, say: Say | None, warn: Warn | None
    ) -> "ExportRows":
        dataset = read_dataset(target, model, data, targets=False, say=say, warn=warn)
        outputs = trained_outputs(target.source) if target.source else list(dataset.targets)
        judged = bool(
            getattr(model, "compiled", False)
            and outputs
            and all(name in dataset.targets for name in outputs)
        )
        if judged:
            read_dataset(target, model, data, targets=True, say=None, warn=None)
        else:
            dataset = replace(dataset, targets={}, weights={})
        batches = inference_batches(dataset, target, model)
        most = max(1, min(_ROWS, _BYTES // max(1, batches.row_bytes)))
        return cls(replace(batches, rows=batches.rows[:most]), from_data=True, judged=judged)

    @classmethod
    def _made(cls, target: Target, model: Any) -> "ExportRows":
        from modelspec.backend.export.random_rows import random_rows

        dataset = Dataset(random_rows(model, _MADE_ROWS), {}, {}, {}, _MADE_ROWS)
        return cls(inference_batches(dataset, target, model), from_data=False, judged=False)


def calibration_rows(target: Target, model: Any, data: Data | None) -> dict[str, Any]:
    """Return training rows from which the ranges of 8-bit integers are measured."""
    if data is None:
        raise ModelError("int8 needs data: it measures the ranges of the integers on the rows")
    dataset = read_dataset(target, model, data, targets=False, say=None, warn=None, part="train")
    batches = inference_batches(replace(dataset, targets={}, weights={}), target, model)
    step = max(1, batches.samples // _REPRESENTATIVES)
    positions = np.arange(0, batches.samples, step)[:_REPRESENTATIVES]
    from modelspec.backend.export.proof import input_arrays

    return dict(input_arrays(model, replace(batches, rows=batches.rows[positions])))

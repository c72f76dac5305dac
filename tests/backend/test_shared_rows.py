"""Rows of data larger than memory: a worker reads its own, and all workers read each row once."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest

from modelspec.backend.training import batch_source
from modelspec.backend.training.batch_source import make_batch_source
from modelspec.data.batches import Batches
from modelspec.data.dataset import Dataset

pytestmark = pytest.mark.keras

ROWS, BATCH = 23, 5  # the last batch has fewer rows than there are workers


@dataclass(frozen=True)
class Place:
    """The properties of a worker that the source reads: its number, and the number of workers."""

    index: int
    count: int


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("done", [0, 10])
def test_each_row_is_read_by_one_worker(
    monkeypatch: pytest.MonkeyPatch, count: int, done: int
) -> None:
    monkeypatch.setattr(batch_source, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(batch_source, "CHUNK_BYTES", 2 * BATCH * 8)  # two batches
    x = np.arange(ROWS, dtype=np.float32)[:, None]
    dataset = Dataset({"x": x}, {"y": x[:, 0]}, {}, {"x": "x", "y": "y"}, ROWS)
    batches = Batches(dataset, np.arange(ROWS), BATCH, {"x": "float32"})
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(1, name="y")(inputs))
    order = batches.order(seed=0, epoch=0)
    workers = [steps_of(model, batches, order, done, Place(index, count)) for index in range(count)]
    for step, parts in enumerate(zip(*workers, strict=True)):
        start = done + step * BATCH
        whole = order[start : start + BATCH]
        assert [total for total, _, _ in parts] == [len(whole)] * count
        counted = [rows for total, rows, _ in parts if total >= count]
        if counted:
            assert np.concatenate(counted).tolist() == whole.tolist()
        # A worker without rows computes one that another one has.
        assert {row for _, rows, _ in parts for row in rows} == set(whole.tolist())
        assert all(read <= 2 * -(-BATCH // count) for _, _, read in parts)


def steps_of(
    model: Any, batches: Batches, order: Any, done: int, place: Any
) -> list[tuple[int, list[int], int]]:
    """The rows of a batch, those that a worker computes of it, and how many are in memory."""
    source = make_batch_source(model, batches, 1, place)
    steps = []
    for chunk in source.chunks(order, done):
        x, _ = chunk.data
        rows = np.asarray(chunk.rows)[int(chunk.start) : int(chunk.stop)]
        assert chunk.is_share
        steps += [
            (int(chunk.total), np.asarray(x)[line, 0].astype(int).tolist(), len(x)) for line in rows
        ]
    return steps

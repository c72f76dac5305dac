"""The importance of a model's inputs: the rise of its loss where an input is shuffled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelspec.data.batches import Batch, Batches
from modelspec.data.concatenated import Rows
from modelspec.results.evaluated import Importance

_SHUFFLED_ROWS, _SHUFFLED_BYTES = 500, 64 << 20
_SHUFFLES = 3
_MOST_COLUMNS = 40


@dataclass(frozen=True)
class InputImportance:
    """Measures the importance of inputs.

    ``columns`` is ``data`` of the spec, ``loss_of`` a function from a batch to the mean loss.
    """

    batches: Batches
    columns: Mapping[str, Any]
    loss_of: Callable[[Batch], float | None]

    def of_rows(self, chosen: Rows) -> tuple[float | None, tuple[Importance, ...], int]:
        """Measure the rise of the loss where an input is shuffled, on some of the samples."""
        row = max(self.batches.row_bytes, 1)
        most = max(2, min(_SHUFFLED_ROWS, _SHUFFLED_BYTES // row))
        if len(chosen) > most:
            chosen = np.sort(np.random.default_rng(1).choice(chosen, most, replace=False))
        if len(chosen) <= 1:
            return None, (), 0
        batch = self.batches.gather(chosen)
        base = self.loss_of(batch)
        if base is None:
            return None, (), 0
        importance = []
        for name, array in batch.inputs.items():
            importance.append(self._shuffled(batch, name, None, base))
            columns = array.shape[1] if array.ndim == len(("sample", "column")) else 1
            if 1 < columns <= _MOST_COLUMNS and array.dtype.kind == "f":
                importance += [self._shuffled(batch, name, place, base) for place in range(columns)]
        return base, tuple(importance), len(chosen)

    def _shuffled(self, batch: Batch, name: str, column: int | None, base: float) -> Importance:
        """Measure the loss's rise from ``base`` after shuffling an input or one of its columns."""
        random = np.random.default_rng(2)
        rises = []
        for _ in range(_SHUFFLES):
            order = random.permutation(len(batch.inputs[name]))
            array = batch.inputs[name].copy()
            if column is None:
                array = array[order]
            else:
                array[:, column] = array[order, column]
            loss = self.loss_of(replace(batch, inputs={**batch.inputs, name: array}))
            rises.append((base if loss is None else loss) - base)
        title = name if column is None else self._column(name, column)
        return Importance(title, float(np.mean(rises)), float(np.std(rises)))

    def _column(self, name: str, column: int) -> str:
        """Return the name of a column, if the data of an input is a list of columns."""
        columns = self.columns.get(name)
        names = columns if isinstance(columns, list | tuple) else ()
        return f"{name}.{names[column]}" if column < len(names) else f"{name}[{column}]"

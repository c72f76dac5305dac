"""Steady epochs of ``modelspec.train``: ``ours_fit.py MODEL ROWS``; samples a second."""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import protocol
from samples import BATCH, samples

import modelspec
from modelspec.backend.training.threads import set_threads
from modelspec.runs.progress import NullListener

SPECS = Path(__file__).parents[3] / "specs"
WARM = 3
EPOCHS = 1000
"""More epochs than run, because a spec of few epochs may be run in another way."""


@dataclass
class Paced(NullListener):
    """Holds training between epochs until the harness asks for the next."""

    rows: int

    def epoch_finished(self, record: Mapping[str, Any]) -> None:
        if record["epoch"] == WARM:
            protocol.ready()
        elif record["epoch"] > WARM:
            protocol.report(self.rows / max(record["seconds"], 1e-3))


def main() -> None:
    name, rows = sys.argv[1], int(sys.argv[2])
    overrides = [f"training.epochs={EPOCHS}", f"training.batch_size={BATCH[name]}"]
    arrays: dict[str, Any] = samples(name, rows)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        np.savez(data, **arrays)
        source = modelspec.load(SPECS / f"{name}.yaml", overrides)
        valid = source.require()
        spec, graph = valid.spec, valid.graph
        set_threads(graph, spec.training.batch_size)  # as in the command
        modelspec.train(source, data, run=Path(folder) / "run", listener=Paced(rows))


if __name__ == "__main__":
    main()

"""Rows a second of ``modelspec.evaluate`` or ``predict``: ``ours_infer.py evaluate|predict ROWS``.

Each call loads the model and traces it again; two calls on different numbers of rows show the time
of the rows themselves.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import protocol
from samples import samples

import modelspec

SPEC = Path(__file__).parents[3] / "specs" / "mlp.yaml"
FEW = 3_200


def main() -> None:
    verb, rows = sys.argv[1], int(sys.argv[2])
    source = modelspec.load(SPEC, ["training.epochs=1"])
    function = modelspec.evaluate if verb == "evaluate" else modelspec.predict
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = (save(folder, count) for count in (FEW, FEW + rows))
        run = modelspec.train(source, small, run=folder / "run")
        target = modelspec.open_target(run.path)

        def seconds(path: Path) -> float:
            started = time.perf_counter()
            function(target, path)
            return time.perf_counter() - started

        def rate() -> float:
            least = min(seconds(small) for _ in range(3))
            return rows / max(seconds(large) - least, 1e-6)

        rate()
        protocol.serve(rate)


def save(folder: Path, rows: int) -> Path:
    path = folder / f"{rows}.npz"
    arrays: dict[str, Any] = samples("mlp", rows)
    np.savez(path, **arrays)
    return path


if __name__ == "__main__":
    main()

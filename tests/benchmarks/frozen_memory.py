"""Peak memory of a training on precomputed values, by the number of rows.

``python tests/benchmarks/frozen_memory.py`` trains a head on a frozen layer whose values, above the
limit of rows, are in a file of the cache folder. Each training has a process of its own; the
largest must need no more than the one before it and a fifth of its added values. Anonymous memory
is measured, because mapped files use only free memory.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import python
from memory import measure

SPEC = """
modelspec: 1
name: wide
inputs: {x: {shape: [8]}}
layers:
  - Dense: {units: 2048}
    trainable: false
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 1, batch_size: 256, precompute: true, jit: false}
"""
ROWS = (1_000, 40_000, 80_000, 160_000)
BYTES = 4 * 2048


def main() -> int:
    """Print a line for each number of rows; return 1 where memory grows with them."""
    peaks = [_peak(rows) for rows in ROWS]
    for rows, peak in zip(ROWS, peaks, strict=True):
        print(f"{rows:,} rows, {rows * BYTES / 2**20:,.0f} MiB of values: peak {peak:,.0f} MB")
    added = (ROWS[-1] - ROWS[-2]) * BYTES / 2**20
    kept = peaks[-1] - peaks[-2] < added / 5
    print(f"{added:,.0f} MiB more values need {peaks[-1] - peaks[-2]:,.0f} MB more: ", end="")
    print("kept" if kept else "MISSED")
    return 0 if kept else 1


def _peak(rows: int) -> float:
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "d.npz", x=random.random((rows, 8), "f"), y=random.random((rows, 1), "f"))
        (folder / "s.yaml").write_text(SPEC, encoding="utf-8")
        command = [python(), "-m", "modelspec", "train", str(folder / "s.yaml"), "--data"]
        command += [str(folder / "d.npz"), "--run", str(folder / "run")]
        _, peak = measure(command, folder, None)
        left = list((folder / "cache" / "modelspec" / "precomputed").glob("*"))
        if left:
            raise RuntimeError(f"files are left: {left}")
        return peak


if __name__ == "__main__":
    sys.exit(main())

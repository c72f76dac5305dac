"""Peak memory of fitting layers to data, by the number of rows, each in a separate process.

``python tests/benchmarks/fitted_memory.py [MEGABYTES...]`` trains for one epoch on an input of
doubles to which Normalization and Discretization are fitted, and on ids that an IntegerLookup
counts. Above the limit of values in memory, the peak must not grow with the rows, and a second fit
must return the same bits. Anonymous memory is measured, as in ``memory.py``.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import python
from memory import measure

COLUMNS = 8
SPEC = f"""
modelspec: 1
name: fitted
inputs: {{x: {{shape: [{COLUMNS}]}}, id: {{shape: [], dtype: int64}}}}
layers:
  - Normalization:
    name: scaled
    from: x
    adapt: true
  - Discretization: {{num_bins: 20, output_mode: int}}
    name: bins
    from: x
    adapt: true
  - ops.cast: {{dtype: float32}}
    name: places
  - IntegerLookup: {{max_tokens: 50}}
    name: known
    from: id
    adapt: true
  - Embedding: {{input_dim: 50, output_dim: 2}}
  - Concatenate:
    from: [scaled, places, embedding]
  - Dense: {{units: 1}}
    name: y
outputs: y
losses: mse
training: {{epochs: 1, batch_size: 65536, jit: false, precompute: false}}
"""
SIZES = (200, 600, 1200)
"""Megabytes of the first input; the first is one array in memory, the others are streams."""


def main(sizes: list[int]) -> int:
    """Print a line for each size; return 1 where memory grows, or a second fit differs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "s.yaml").write_text(SPEC, encoding="utf-8")
        peaks = [_peak(folder, size, "run") for size in sizes]
        _peak(folder, sizes[-1], "again")
        one, two = ((folder / run / "fitted.npz").read_bytes() for run in ("run", "again"))
    grown = peaks[-1] - peaks[-2]
    kept = grown < (sizes[-1] - sizes[-2]) / 10
    print(f"{sizes[-1] - sizes[-2]} MB more need {grown:,.0f} MB more: {_verdict(kept=kept)}")
    print(f"a second fit is equal: {_verdict(kept=one == two)}")
    return 0 if kept and one == two else 1


def _verdict(*, kept: bool) -> str:
    return "kept" if kept else "MISSED"


def _peak(folder: Path, megabytes: int, run: str) -> float:
    random = np.random.default_rng(0)
    rows = megabytes * 10**6 // (8 * COLUMNS)
    x = random.standard_normal((rows, COLUMNS))
    np.savez(folder / "d.npz", x=x, id=random.integers(0, 1000, rows), y=x[:, 0])
    command = [python(), "-m", "modelspec", "train", "s.yaml", "--data", "d.npz", "--run", run]
    shutil.rmtree(folder / run, ignore_errors=True)
    seconds, peak = measure(command, folder, None)
    print(f"{megabytes} MB, {rows:,} rows: peak {peak:,.0f} MB in {seconds:.1f} s", flush=True)
    return peak


if __name__ == "__main__":
    sys.exit(main(list(map(int, sys.argv[1:])) or list(SIZES)))

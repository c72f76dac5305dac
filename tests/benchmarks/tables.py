"""A CSV file larger than memory: peak memory, the first pass, and the speed after it against npz.

The process runs under a limit of 1.5 GB if this machine supports one, as in ``memory.py``.
"""

import argparse
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
from memory import limit, measure
from numpy.lib import format as npy

COLUMNS = 16
ROWS_AT_ONCE = 1 << 16
ROW_BYTES = COLUMNS * 8
SPEC = f"""\
modelspec: 1
name: table
inputs: {{x: {{shape: [{COLUMNS}]}}}}
data: {{x: [{", ".join(f"c{at}" for at in range(COLUMNS))}], y: {{column: cls, classes: [a, b]}}}}
layers:
  - {{Normalization: , adapt: true}}
  - Dense: {{units: 16, activation: relu}}
  - Dense: {{units: 1, activation: sigmoid}}
    name: y
outputs: y
losses: binary_crossentropy
training: {{epochs: 3, batch_size: 512, validation_split: {{last: 0.1}}, jit: false}}
"""


def write(folder: Path, gigabytes: float) -> int:
    """Write the same rows as a table and as arrays; return their number."""
    random = np.random.default_rng(0)
    rows = int(gigabytes * 1e9) // ROW_BYTES // ROWS_AT_ONCE * ROWS_AT_ONCE
    blocks = rows // ROWS_AT_ONCE
    columns = [f"c{at}" for at in range(COLUMNS)]
    spools = {name: (folder / f"{name}.raw").open("wb") for name in ("x", "y")}
    with (folder / "t.csv").open("wb") as file:
        for block in range(blocks):
            x = random.normal(100, 15, (ROWS_AT_ONCE, COLUMNS)).round(4).astype(np.float32)
            y = random.integers(0, 2, ROWS_AT_ONCE)
            frame = pl.DataFrame(x, schema=columns).with_columns(
                pl.Series("cls", np.array(["a", "b"])[y])
            )
            frame.write_csv(file, include_header=not block, float_precision=4)
            spools["x"].write(x.tobytes())
            spools["y"].write(y.astype(np.int32).tobytes())
    with zipfile.ZipFile(folder / "t.npz", "w") as npz:
        for name, descr, shape in (("x", "<f4", (rows, COLUMNS)), ("y", "<i4", (rows,))):
            spools[name].close()
            with npz.open(f"{name}.npy", "w", force_zip64=True) as member:
                header = {"descr": descr, "fortran_order": False, "shape": shape}
                npy.write_array_header_1_0(member, header)
                with (folder / f"{name}.raw").open("rb") as raw:
                    while part := raw.read(1 << 24):
                        member.write(part)
    return rows


def main(gigabytes: float) -> None:
    with tempfile.TemporaryDirectory() as made, limit(1_500_000_000) as enter:
        folder = Path(made)
        rows = write(folder, gigabytes)
        size = (folder / "t.csv").stat().st_size
        print(f"{size / 1e9:.2f} GB of CSV, {rows:,} rows; limited: {enter is not None}")
        spec = SPEC
        (folder / "table.yaml").write_text(spec)
        arrays = "\n".join(line for line in spec.splitlines() if not line.startswith("data:"))
        (folder / "npz.yaml").write_text(arrays + "\n")
        speeds = {}
        for name, data, run in (
            ("table", "t.csv", "first"),
            ("table", "t.csv", "again"),
            ("npz", "t.npz", "arrays"),
        ):
            command = [sys.executable, "-m", "modelspec", "train", f"{name}.yaml"]
            command += ["--data", data, "--run", run, "--quiet"]
            seconds, peak = measure(command, folder, enter)
            history = (folder / run / "history.jsonl").read_text().splitlines()
            epochs = [json.loads(line)["seconds"] for line in history]
            speeds[run] = rows / min(epochs)
            print(
                f"{run}: {seconds:.0f} s, {peak:.0f} MB of anonymous memory, "
                f"{speeds[run]:,.0f} rows a second"
            )
        print(f"table against npz: {speeds['again'] / speeds['arrays']:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the CSV file")
    main(parser.parse_args().gigabytes)

"""Two workers of one thread compared with one, on a model of 50 ms a step; and ``--workers 1``.

    python tests/benchmarks/several.py --rounds 5

Each round trains once in each way, and every second round in the opposite order. The limits: two
workers at least 1.6 times as fast as one, and ``--workers 1`` at most 3 % slower than without.
These two are the same program, so their ratio shows the differences of equal runs. Seconds are
those of the fastest epoch after the first. Five rounds take some two minutes on two quiet cores. On
busy ones, ``chrt --rr 5`` before the command gives it precedence.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SPEC = """\
modelspec: 1
inputs: {image: {shape: [32, 32, 3]}}
layers:
  - Conv2D: {filters: 32, kernel_size: 3, padding: same, activation: relu}
  - Conv2D: {filters: 32, kernel_size: 3, padding: same, activation: relu}
  - MaxPooling2D
  - Conv2D: {filters: 64, kernel_size: 3, padding: same, activation: relu}
  - GlobalAveragePooling2D
  - Dense: {units: 10, activation: softmax}
    name: y
outputs: y
losses: sparse_categorical_crossentropy
metrics: accuracy
optimizer: {SGD: {learning_rate: 0.01, momentum: 0.9}}
training: {epochs: EPOCHS, batch_size: BATCH, steps_per_call: 6}
"""
STEPS = 24
WAYS = {"without": (), "--workers 1": ("--workers", "1"), "--workers 2": ("--workers", "2")}
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=52, help="rows, best for 50 ms a step")
    arguments = parser.parse_args()
    rounds, epochs = arguments.rounds, arguments.epochs
    steps: dict[str, list[float]] = {way: [] for way in WAYS}
    shares: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spec.yaml").write_text(
            SPEC.replace("EPOCHS", str(epochs)).replace("BATCH", str(arguments.batch))
        )
        random, rows = np.random.default_rng(0), arguments.batch * STEPS
        images = random.random((rows, 32, 32, 3), np.float32)
        np.savez(folder / "data.npz", image=images, y=random.integers(0, 10, rows))
        for count in range(rounds):
            for way, options in list(WAYS.items())[:: -1 if count % 2 else 1]:
                run = folder / f"{count}{way.replace(' ', '')}"
                seconds, record = train(folder, run, options)
                steps[way].append(seconds / STEPS)
                shares += [record["communication"]] if "communication" in record else []
    for way, taken in steps.items():
        print(f"{way}: {1e3 * statistics.median(taken):.1f} ms a step ({spread(taken, 1e3)})")
    without, one, two = (steps[way] for way in WAYS)
    tell("--workers 1 against without", one, without, "at most 1.03")
    tell("two workers: times as fast as one", without, two, "at least 1.6")
    for share in shares:
        part, step = share["communication_share"], 1e3 * share["step_seconds"]
        print(f"communication: {part:.1%} of {step:.1f} ms, {share['bytes']:,} bytes a worker")


def train(folder: Path, run: Path, options: tuple[str, ...]) -> tuple[float, dict[str, Any]]:
    """Return the seconds of the fastest epoch after the first, and the record of the run."""
    words = ["train", "spec.yaml", "--data", "data.npz", "--run", str(run), "--quiet", *options]
    environment = {**os.environ, **ONE_THREAD}
    command = [sys.executable, "-m", "modelspec", *words]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{run.name}: {used.ru_utime + used.ru_stime:.1f} s of processor so far", flush=True)
    epochs = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    seconds = min(epoch["seconds"] for epoch in epochs[1:])
    return seconds, json.loads((run / "run.json").read_text())


def tell(what: str, times: list[float], others: list[float], bar: str) -> None:
    """Print the ratio of the medians, that of the fastest rounds, and those of the rounds."""
    median = statistics.median(times) / statistics.median(others)
    fastest = min(times) / min(others)
    ratios = [time / other for time, other in zip(times, others, strict=True)]
    print(f"{what}: {median:.3f}, fastest {fastest:.3f} (rounds {spread(ratios)}; bar: {bar})")


def spread(values: list[float], factor: float = 1.0) -> str:
    return f"{factor * min(values):.3g}-{factor * max(values):.3g}"


if __name__ == "__main__":
    main()

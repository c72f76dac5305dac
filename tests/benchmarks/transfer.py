"""Writes modelspec/TRANSFER.md: the effect of starting from weights where labels are few.

``python tests/benchmarks/transfer.py [--seeds N] [--output PAGE]`` takes some minutes on two cores.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import modelspec

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "modelspec" / "TRANSFER.md"
SPECS, DATA = ROOT / "specs" / "transfer", ROOT / "data"
FIRST, FEW = "digits_placed", "digits_faint"
ALL_TRAINED = "layers.trunk.trainable=true"
SMALL_STEPS = "optimizer.Adam.learning_rate=3e-4"
AS_IT_IS = "the first model as it is"
SCRATCH = "from scratch"
LONGER = "from scratch, five times as long"
HEAD = "the head, on the frozen trunk of the first model"
FULL = "then all layers, with small steps"
AT_ONCE = "all layers at once, from the first model"


@dataclass(frozen=True)
class Way:
    """One way to train the model of few labels: the weights that it starts from, and overrides."""

    name: str
    start: str | None = None
    overrides: tuple[str, ...] = ()


WAYS = (
    Way(SCRATCH, None, (ALL_TRAINED,)),
    Way(LONGER, None, (ALL_TRAINED, "training.epochs=300")),
    Way(HEAD, FIRST),
    Way(FULL, HEAD, (ALL_TRAINED, SMALL_STEPS)),
    Way(AT_ONCE, FIRST, (ALL_TRAINED, SMALL_STEPS)),
)


def train(name: str, folder: Path, overrides: Sequence[str]) -> float:
    """Train a shipped spec; return its accuracy on the faint test images."""
    source = modelspec.load(SPECS / f"{name}.yaml", overrides)
    run = modelspec.train(source, DATA / f"{name}.npz", run=folder)
    values = modelspec.evaluate(modelspec.open_target(run.path), DATA / f"{FEW}.npz")
    return float(values["accuracy"])


def measure(seed: int, folder: Path) -> dict[str, float]:
    """Return the accuracy of every way; all weights and orders are drawn from ``seed``."""
    seeded = f"training.seed={seed}"
    accuracies = {AS_IT_IS: train(FIRST, folder / FIRST, [seeded])}
    for way in WAYS:
        start = [] if way.start is None else [f"weights.from={folder / way.start}"]
        accuracies[way.name] = train(FEW, folder / way.name, [seeded, *start, *way.overrides])
    return accuracies


def page(results: Mapping[str, Sequence[float]], seeds: int) -> Iterator[str]:
    versions = ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow", "numpy"))
    yield f"""# Starting from weights, measured

This page measures how much starting weights help if there are few labels.
`specs/transfer/digits_placed.yaml` learns to recognize clean digits at random places, from 6,935
images that are made from 1,387 real ones. `specs/transfer/digits_faint.yaml` has the same layers,
and recognizes faint and noisy digits from 50 labelled images, five of each digit, which are made
from other real images. The accuracy is measured on 360 faint test images, ± one standard deviation
over {seeds} seeds; guessing gives 0.1. Made by
`make transfer` on {datetime.now(UTC):%Y-%m-%d} with {versions}.

| | accuracy | least | most |
|---|---:|---:|---:|
"""
    for name, values in results.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        mean = statistics.mean(values)
        yield f"| {name} | {mean:.3f} ± {spread:.3f} | {min(values):.3f} | {max(values):.3f} |\n"
    yield f"""
The same with the commands of modelspec; the two stages of fine-tuning are the last two:

```sh
modelspec train specs/transfer/{FIRST}.yaml --data data/{FIRST}.npz --run runs/placed
modelspec train specs/transfer/{FEW}.yaml --data data/{FEW}.npz --run runs/head \\
    --weights runs/placed
modelspec train specs/transfer/{FEW}.yaml --data data/{FEW}.npz --run runs/full \\
    --weights runs/head --set {ALL_TRAINED} --set {SMALL_STEPS}
```

From scratch, `specs/transfer/{FEW}.yaml` trains without `--weights`, with its own learning rate,
1e-3, and with `--set {ALL_TRAINED}`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    names = (AS_IT_IS, *(way.name for way in WAYS))
    results: dict[str, list[float]] = {name: [] for name in names}
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            for name, accuracy in measure(seed, Path(folder)).items():
                results[name].append(accuracy)
        shown = ", ".join(f"{name} {values[-1]:.3f}" for name, values in results.items())
        print(f"seed {seed}: {shown}", flush=True)
    options.output.write_text("".join(page(results, options.seeds)), encoding="utf-8")


if __name__ == "__main__":
    main()
